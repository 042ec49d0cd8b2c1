"""A forecast that an exported model must be able to repeat before it is asked for any other."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from gridcast.domain.errors import GridcastError
from gridcast.features.windows import Inputs

Floats = npt.NDArray[np.float32]
Signature = Mapping[str, Mapping[str, Any]]

SANITY = "sanity.json"
TOLERANCE = 1e-3
"""Of the largest load; processors round differently, and no more."""
_LOAD_MW = 100.0


def sanity_inputs(signature: Signature) -> Inputs:
    """Two made-up windows that fit the inputs of a signature: one complete, one in which everything is missing.

    Loads swing around 100 MW, temperatures around 15 °C; the series is the first one the model knows, then an unknown.
    """
    inputs: Inputs = {}
    for name, each in signature.items():
        shape = (2, *each["shape"][1:])
        wave = np.sin(np.arange(np.prod(shape)) * 0.37).reshape(shape)
        if name.endswith(("_mw", "_c")):
            middle, swing = (_LOAD_MW, 20.0) if name.endswith("_mw") else (15.0, 8.0)
            values = np.where(np.arange(2).reshape(-1, *(1,) * (len(shape) - 1)) == 0, middle + swing * wave, np.nan)
        elif name == "series":
            values = np.array([1.0, 0.0])
        elif name == "hour_of_day":
            values = np.broadcast_to(np.arange(shape[1]) % 24, shape)
        else:
            values = wave > 0.9
        inputs[name] = values.astype(each["dtype"])
    return inputs


def write_sanity(directory: Path, predict: Callable[[Inputs], Floats], *, signature: Signature) -> None:
    """Keep what a network forecasts for the made-up windows."""
    expected = predict(sanity_inputs(signature)).astype(float)
    (directory / SANITY).write_text(json.dumps({"load_mw": expected.round(5).tolist()}), encoding="utf-8")


def require_sanity(directory: Path, predict: Callable[[Inputs], Floats], *, signature: Signature) -> None:
    """Refuse a model that does not repeat its forecast.

    Raises:
        GridcastError: it differs from the one kept at export, crosses quantiles or is no number.
    """
    expected = np.array(json.loads((directory / SANITY).read_text(encoding="utf-8"))["load_mw"])
    made = predict(sanity_inputs(signature))
    largest = max(_LOAD_MW, float(np.abs(expected).max()))
    if made.shape != expected.shape or not np.allclose(made, expected, rtol=0.0, atol=TOLERANCE * largest):
        apart = f"differs by up to {np.abs(made - expected).max():.3g} MW" if made.shape == expected.shape else "is cut"
        raise GridcastError(
            f"model {directory}: its forecast for made-up inputs {apart} from the one it was exported with; expected "
            'the same. Train again with "gridcast train", or restore the folder from a copy.'
        )
