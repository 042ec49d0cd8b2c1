"""What a model costs those who run it: time and room."""

import time
from pathlib import Path
from statistics import median
from typing import Final, NamedTuple

from gridcast.models.tensorflow.serving import Forecaster
from gridcast.workflows.forecasts.known import known_at, known_panel
from gridcast.workflows.readings.processed import Processed

_TRIES: Final = 15


class Cost(NamedTuple):
    """Of one model: milliseconds for a forecast of one series once it is loaded (median), megabytes of its artefact."""

    latency_ms: float
    size_mb: float


def cost_of(forecaster: Forecaster, directory: Path, processed: Processed) -> Cost:
    """Measured here and now, at the end of the history."""
    known = known_at(processed, processed.observed_until, is_newest=True)
    panel, origin = known_panel(forecaster, known, issue_time=processed.observed_until)
    taken = []
    for _ in range(_TRIES):
        began = time.perf_counter()
        forecaster.forecast(panel, series=[0], origin=[origin])
        taken.append(time.perf_counter() - began)
    size = sum(each.stat().st_size for each in directory.rglob("*") if each.is_file())
    return Cost(1e3 * median(taken[1:]), size / 1e6)
