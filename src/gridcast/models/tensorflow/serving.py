"""Forecasts from an exported model through LiteRT; TensorFlow is not needed and not loaded."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert.interpreter import Interpreter

from gridcast.domain.errors import GridcastError
from gridcast.features.panel import Panel
from gridcast.features.station_mix import StationMix
from gridcast.features.windows import window_inputs
from gridcast.models.tensorflow.artefact import LITERT, OUTPUT, SIGNATURE, Manifest, read_manifest, station_mix_of
from gridcast.models.tensorflow.cores import cores
from gridcast.models.tensorflow.native_log import native_log_muted
from gridcast.models.tensorflow.sanity import require_sanity

Floats = npt.NDArray[np.float32]

MOST_THREADS = 4
"""A hundred series take half the time with two threads that they take with one; a single series is no slower."""
PREDICTED_AT_ONCE = 256
UNKNOWN_SERIES = 0


@dataclass(frozen=True, slots=True, eq=False)
class Forecaster:
    """An exported model that is ready to be asked; not to be shared between threads.

    Attributes:
        manifest: its facts.
        signature: raw inputs, name → dtype, shape and unit.
    """

    manifest: Manifest
    signature: Mapping[str, Mapping[str, Any]]
    _runner: Any

    @classmethod
    def load(cls, directory: Path) -> "Forecaster":
        """The model exported to `directory`, once it has repeated the forecast it was exported with.

        Raises:
            GridcastError: a file is missing, damaged or changed, or the forecast differs.
        """
        manifest = read_manifest(directory)
        signature = json.loads((directory / SIGNATURE).read_text(encoding="utf-8"))
        with native_log_muted():
            interpreter = Interpreter(model_path=str(directory / LITERT), num_threads=min(MOST_THREADS, cores()))
            interpreter.allocate_tensors()
            runner = interpreter.get_signature_runner()
        loaded = cls(manifest, signature["inputs"], runner)
        require_sanity(directory, loaded.predict, signature=loaded.signature)
        return loaded

    @property
    def series_ids(self) -> tuple[str, ...]:
        """The series it knows."""
        return self.manifest.series_ids

    @property
    def leads(self) -> int:
        """Intervals forecast at once."""
        return self.manifest.leads

    @property
    def interval(self) -> timedelta:
        """Length of an interval."""
        return self.manifest.interval

    @property
    def station_mix(self) -> StationMix | None:
        """How it mixes the temperatures of stations; None stands for the plain mean of those that report."""
        return station_mix_of(self.manifest)

    @property
    def lead_correlation(self) -> tuple[float, ...]:
        """Correlation of the errors of two leads, by how many intervals they are apart, (lead,)."""
        return self.manifest.lead_correlation

    def series_index(self, series_id: str) -> int:
        """The `series` input of a series; 0 for one the model has never seen."""
        known = self.manifest.series_ids
        return known.index(series_id) + 1 if series_id in known else UNKNOWN_SERIES

    def forecast(self, panel: Panel, *, series: npt.ArrayLike, origin: npt.ArrayLike) -> Floats:
        """Quantiles (window, lead, quantile), MW: window i is row `series[i]` of the panel, issued at `origin[i]`.

        Series are matched by name; one the model has never seen is forecast as an unknown series. The panel's weather
        has to be mixed by `station_mix`.
        """
        inputs = window_inputs(panel, series=series, origin=origin, leads=self.leads)
        numbers = np.array([self.series_index(each) for each in panel.series_ids], dtype=np.int32)
        return self.predict({**inputs, "series": numbers[np.asarray(series)]})

    def predict(self, inputs: Mapping[str, npt.NDArray[Any]]) -> Floats:
        """Quantiles (window, lead, quantile), MW, for any number of windows of `window_inputs`.

        Raises:
            GridcastError: an input is missing or has another shape than the model's, or a series number is not one of
                its series.
        """
        ready = {name: self._checked(name, inputs) for name in self.signature}
        self._require_known_numbers(ready["series"])
        count = len(ready["series"])
        quantiles = np.empty((count, self.leads, len(self.manifest.quantiles)), dtype=np.float32)
        for first in range(0, count, PREDICTED_AT_ONCE):
            chunk = slice(first, first + PREDICTED_AT_ONCE)
            quantiles[chunk] = self._runner(**{name: values[chunk] for name, values in ready.items()})[OUTPUT]
        return quantiles

    def _require_known_numbers(self, series: npt.NDArray[Any]) -> None:
        most = len(self.series_ids)
        strange = series[(series < 0) | (series > most)]
        if len(strange):
            raise GridcastError(
                f"model input 'series': {strange[0]}; expected numbers from 1 to {most}, or {UNKNOWN_SERIES} for a "
                "series the model has never seen. Take them from Forecaster.series_index."
            )

    def _checked(self, name: str, inputs: Mapping[str, npt.NDArray[Any]]) -> npt.NDArray[Any]:
        expected = self.signature[name]
        shape = tuple(expected["shape"][1:])
        if name not in inputs or inputs[name].shape[1:] != shape:
            received = f"shape {inputs[name].shape}" if name in inputs else "nothing"
            raise GridcastError(
                f"model input {name!r}: {received}; expected shape (window, {', '.join(map(str, shape))}). "
                f"Build inputs with window_inputs for {self.leads} leads of {self.interval}."
            )
        return np.ascontiguousarray(inputs[name], dtype=expected["dtype"])
