"""How soon drift is noticed, and how often without reason: changes injected into the last year of a history.

A network is trained to the beginning of the last year but one and judged on that year: its limits come from there. One
trained a year longer then watches the last year, as it was and with changes that begin on a working day of each month:
loads 8 % higher, a new peak from 18 to 22 h of 30 % of the mean load, and a sensor that stands still. Models forecast
two days with observed weather; what counts is the second day, as in "gridcast drift".
"""

import argparse
import functools
import json
import platform
import sys
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from benchmarks.accuracy.tasks import HOUR, LEADS, MELBOURNE, VICTORIA, sample_panel, victoria
from gridcast.evaluation.daily_errors import daily_errors
from gridcast.evaluation.drift import WINDOW, count_alarms
from gridcast.evaluation.drift_detectors import Detectors
from gridcast.evaluation.scored import MODEL
from gridcast.features.panel import Panel
from gridcast.ingestion.sample import TIME_ZONE
from gridcast.models.tensorflow.serving import Forecaster
from gridcast.models.tensorflow.spec import NetworkSpec, TrainSpec
from gridcast.settings.model import ModelSettings
from gridcast.workflows.judging.backtest import model_quantiles, scored_points_of

TARGET = 1.0
WITHIN_DAYS = 3
MOST_FALSE_PER_QUARTER = 1.0
BROKEN_DAYS = 9
"""What a detection counts as that does not come while it is looked for, or where the false alarms are too many."""
LOOKED_DAYS = 6
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """One series, its clock, and the days that are judged, watched, and on which changes begin."""

    panel: Panel
    time_zone: str
    judged: tuple[date, ...]
    watched: tuple[date, ...]
    onsets: tuple[date, ...]
    name: str

    def origin(self, day: date) -> datetime:
        """Local midnight, UTC."""
        return datetime.combine(day, time(), ZoneInfo(self.time_zone)).astimezone(UTC)

    def position(self, day: date) -> int:
        """Of local midnight on the panel."""
        return self.panel.index_of(self.origin(day))


def main() -> None:
    """Print a table of days until detection and the JSON line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.drift", description=__doc__)
    parser.add_argument("--victoria", type=Path, default=VICTORIA, help="the sample is used where it is absent")
    parser.add_argument("--quick", action="store_true")
    asked = parser.parse_args()
    is_sample = asked.quick or not asked.victoria.is_file()
    history = _sample() if is_sample else _victoria(asked.victoria)
    sys.stdout.write(json.dumps(_measured(history, quick=asked.quick)) + "\n")


def _measured(history: History, *, quick: bool) -> dict[str, Any]:
    judge = _train(history, until=history.judged[0], quick=quick)
    good = _daily(history, _points(judge, history.panel, history, history.judged))
    detectors = Detectors.learn(good)
    watcher = judge if quick else _train(history, until=history.watched[0], quick=quick)
    untouched = _daily(history, _points(watcher, history.panel, history, history.watched))
    days = pl.concat([good.tail(WINDOW - 1), untouched])
    alarms = _alarms(detectors, days)
    per_quarter = sum(alarms.values()) / (len(history.watched) / 91)
    delays = {
        kind: [_delay(detectors, watcher, history, days, kind=kind, onset=onset) for onset in history.onsets]
        for kind in ("level", "evening", "dead")
    }
    with pl.Config(tbl_rows=-1):
        print(pl.DataFrame({"onset": history.onsets, **delays}))  # noqa: T201
    slowest = max(max(each) for each in delays.values())
    is_quiet = per_quarter < MOST_FALSE_PER_QUARTER
    ratio = (slowest if is_quiet else BROKEN_DAYS) / WITHIN_DAYS
    return {
        "name": "drift",
        "ratio": round(ratio, 3),
        "target": TARGET,
        "ok": quick or ratio <= TARGET,
        "data": history.name,
        "slowest_days": slowest,
        "days": {kind: {"mean": float(np.mean(each)), "most": max(each)} for kind, each in delays.items()},
        "false_alarms_per_quarter": round(per_quarter, 2),
        "false_alarms": alarms,
        "onsets": len(history.onsets),
        "machine": platform.machine(),
        "python": platform.python_version(),
    }


def _victoria(file: Path) -> History:
    panel = victoria(file).panel
    free = set(_holidays(panel, MELBOURNE))
    onsets = tuple(_working_day(date(2014, month, 10), free=free) for month in range(1, 13))
    return History(panel, MELBOURNE, _days(date(2013, 1, 1), 365), _days(date(2014, 1, 1), 363), onsets, "victoria")


def _sample() -> History:
    panel = sample_panel(zones=1, until=datetime(2005, 7, 1, tzinfo=UTC))
    judged, watched = _days(date(2005, 1, 3), 84), _days(date(2005, 3, 28), 77)
    return History(panel, TIME_ZONE, judged, watched, (date(2005, 5, 10),), "sample")


def _days(first: date, count: int) -> tuple[date, ...]:
    return tuple(first + each * _DAY for each in range(count))


def _holidays(panel: Panel, time_zone: str) -> list[date]:
    zone = ZoneInfo(time_zone)
    positions = np.flatnonzero(panel.calendar.holiday[panel.zone_of_series[0], :, 0] > 0.5)
    return sorted({panel.moment(int(each)).astimezone(zone).date() for each in positions})


def _working_day(day: date, *, free: set[date]) -> date:
    while day.weekday() >= 5 or day in free:
        day += _DAY
    return day


def _train(history: History, *, until: date, quick: bool) -> Forecaster:
    from gridcast.models.tensorflow.export import save
    from gridcast.models.tensorflow.train import fit

    settings = ModelSettings()
    little = TrainSpec(members=1, epochs=1, windows_per_epoch=1024)
    trained = fit(
        history.panel,
        train_until=history.position(until),
        network_spec=NetworkSpec(LEADS, HOUR, settings.network),
        train_spec=little if quick else replace(settings.training, members=1),
    )
    with TemporaryDirectory() as folder:
        save(trained, Path(folder) / "model")
        return Forecaster.load(Path(folder) / "model")


def _points(forecaster: Forecaster, panel: Panel, history: History, days: tuple[date, ...]) -> pl.DataFrame:
    """Forecasts of the days, each issued a day before."""
    origins = tuple(history.origin(each - _DAY) for each in days)
    ask = functools.partial(model_quantiles, forecaster)
    points = scored_points_of({MODEL: ask}, panel, panel, origins=origins, leads=LEADS)
    return points.filter(pl.col("valid_time") - pl.col("issue_time") >= _DAY)


def _daily(history: History, points: pl.DataFrame) -> pl.DataFrame:
    daily = daily_errors(points.with_columns(load_mw="actual_mw"), time_zone=history.time_zone)
    return daily.filter(pl.col("n") >= 23)


def _scores(detectors: Detectors, days: pl.DataFrame) -> dict[str, np.ndarray[Any, Any]]:
    return {str(name): each / detectors.limits[name] for name, each in detectors.scores(days).items()}


def _alarms(detectors: Detectors, days: pl.DataFrame) -> dict[str, int]:
    """How often each detector begins to fire."""
    return {name: count_alarms(each, limit=1.0) for name, each in _scores(detectors, days).items()}


def _delay(
    detectors: Detectors, forecaster: Forecaster, history: History, days: pl.DataFrame, *, kind: str, onset: date
) -> int:
    """Whole days from a change to the end of the first day on which a detector fires."""
    panel = _changed(history, kind=kind, onset=onset)
    changed = _daily(history, _points(forecaster, panel, history, _days(onset, LOOKED_DAYS)))
    before = days.filter(pl.col("date") < onset).tail(WINDOW - 1)
    fires = np.any([each > 1 for each in _scores(detectors, pl.concat([before, changed])).values()], axis=0)
    found = np.flatnonzero(fires)
    return int(found[0]) + 1 if found.size else BROKEN_DAYS


def _changed(history: History, *, kind: str, onset: date) -> Panel:
    panel, first = history.panel, history.position(onset)
    load = panel.load_mw.copy()
    hour = panel.calendar.hour_of_day[panel.zone_of_series[0]][first:]
    if kind == "level":
        load[0, first:] *= 1.08
    elif kind == "evening":
        load[0, first:] += np.where((hour >= 18) & (hour < 22), 0.3 * np.nanmean(load[0, :first]), 0.0)
    else:
        load[0, first:] = load[0, first - 1]
    return replace(panel, load_mw=load)


if __name__ == "__main__":
    main()
