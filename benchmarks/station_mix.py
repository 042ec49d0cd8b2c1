"""What a learned station mix is worth: held-out error on GEFCom2012, whose 11 stations nobody assigned to its 20 zones.

Mixes and regressions are fitted before a cut and judged on the 12 weeks after it: once on the newest weeks, which give
the ratio, and three times half a year earlier, which tell whether that was luck.
"""

import json
import platform
import sys
import time
from datetime import timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from benchmarks.accuracy.tasks import sample_with_system
from gridcast.evaluation.metrics import pinball
from gridcast.features.block_means import LEVEL_DAYS, BlockMeans, block_means
from gridcast.features.panel import Panel
from gridcast.features.quick_regression import quick_regression
from gridcast.features.station_choice import learn_station_mix
from gridcast.features.station_mix import StationMix, plain_mix
from gridcast.features.station_reports import reports_on
from gridcast.features.windows import intervals_per_day, window_targets
from gridcast.workflows.forecasts.baselines import fit_linear_baselines

Floats = npt.NDArray[np.float64]

JUDGED = timedelta(weeks=12)
EARLIER = tuple(timedelta(weeks=26) * halves for halves in range(4))
"""How long before the end of the sample each judged period ends."""
LEADS = 48
TARGET = 1.0


def main() -> None:
    """Print a table by series of the newest period, the ratios of all periods, and the JSON line."""
    panel, weather = sample_with_system()
    periods = [_period(panel, weather, stop=len(panel.time) - each // panel.interval) for each in EARLIER]
    newest = periods[0]
    with pl.Config(
        tbl_rows=-1,
        tbl_cols=-1,
        tbl_width_chars=160,
        tbl_hide_dataframe_shape=True,
        tbl_hide_column_data_types=True,
        float_precision=3,
    ):
        print(newest["by_series"])  # noqa: T201
        print(pl.DataFrame([{key: each[key] for key in _SHOWN} for each in periods]))  # noqa: T201
    ratio = min(newest["quick_ratio"], newest["linear_ratio"])
    result = {
        "name": "station_mix",
        "ratio": round(ratio, 3),
        "target": TARGET,
        "ok": ratio > TARGET,
        **{key: value for key, value in newest.items() if key != "by_series"},
        "periods_better": [sum(each[key] > 1 for each in periods) for key in ("quick_ratio", "linear_ratio")],
        "periods": len(periods),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "numpy": np.__version__,
    }
    sys.stdout.write(json.dumps(result) + "\n")


_SHOWN = (
    "judged_until",
    *(f"{error}_{figure}" for error in ("quick", "linear") for figure in ("ratio", "series_better", "worst_series")),
)


def _period(panel: Panel, weather: pl.DataFrame, *, stop: int) -> dict[str, Any]:
    """Errors with the plain mean over those with the learned mix, of one judged period; above one is better."""
    cut = stop - JUDGED // panel.interval
    reports = reports_on(weather, time=panel.time, interval=panel.interval)
    began = time.process_time()
    learned = learn_station_mix(panel, reports, until=cut)
    seconds = time.process_time() - began
    plain, every = plain_mix(reports.station_ids), np.arange(len(panel.series_ids))
    blocks = block_means(panel, reports.newest(len(panel.time)), series=every, start=0, stop=stop)
    ratios = {}
    for name, error in (("quick", _quick_error), ("linear", _linear_error)):
        first, second = (
            error(panel.with_weather(weather, station_mix=mix), blocks, mix, cut=cut, stop=stop)
            for mix in (plain, learned)
        )
        ratios[name] = first / second
    table = {"series": panel.series_ids, "has_own_mix": [each in learned.of_series for each in panel.series_ids]}
    return {
        "judged_until": f"{panel.moment(stop):%Y-%m-%d}",
        **{f"{name}_ratio": round(float(np.exp(np.log(each).mean())), 4) for name, each in ratios.items()},
        **{f"{name}_series_better": round(float((each > 1).mean()), 3) for name, each in ratios.items()},
        **{f"{name}_worst_series": round(float(each.min()), 3) for name, each in ratios.items()},
        "mixes": len(learned.mixes),
        "learn_cpu_s": round(seconds, 1),
        "by_series": pl.DataFrame({**table, **{f"{name}_ratio": each for name, each in ratios.items()}}),
    }


def _quick_error(panel: Panel, blocks: BlockMeans, mix: StationMix, *, cut: int, stop: int) -> Floats:
    """Mean absolute error of the quick regression after the cut, MW; the level of each four weeks is taken as given."""
    per_day = intervals_per_day(panel.interval)
    is_judged = blocks.day >= blocks.day[-1] + 1 - (stop - cut) // per_day
    place, usable = quick_regression(blocks).place, np.zeros(len(blocks.day), dtype=np.bool_)
    usable[place[place >= 0]] = True
    levels = -(-(int(blocks.day[-1]) + 1) // LEVEL_DAYS)
    shape = blocks.calendar[:, : blocks.calendar.shape[1] - levels]
    period = np.where(
        is_judged, levels + (blocks.day - blocks.day[is_judged][0]) // LEVEL_DAYS, blocks.day // LEVEL_DAYS
    )
    errors = []
    station_ids = list(mix.mixes[0])
    for row, series in enumerate(panel.series_ids):
        weights = np.array([mix.of(series)[each] for each in station_ids])
        design = np.concatenate([shape, blocks.terms(weights)], axis=1)[usable]
        load, when, judged = blocks.load_mw[usable, row], period[usable], is_judged[usable]
        known = np.isfinite(load)
        x, y = _without_levels(design[known], load[known], when[known])
        fit = np.linalg.lstsq(x[~judged[known]], y[~judged[known]], rcond=1e-8)[0]
        errors.append(np.abs(y - x @ fit)[judged[known]].mean())
    return np.array(errors)


def _without_levels(design: Floats, load: Floats, period: npt.NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Design and load less their means of each period."""
    _, member = np.unique(period, return_inverse=True)
    share = np.eye(member.max() + 1)[member]
    share /= np.maximum(share.sum(axis=0), 1)
    return design - (share.T @ design)[member], load - (share.T @ load)[member]


def _linear_error(panel: Panel, blocks: BlockMeans, mix: StationMix, *, cut: int, stop: int) -> Floats:  # noqa: ARG001
    """Mean pinball loss of the linear baseline that models are compared with, daily origins after the cut, MW."""
    linear = fit_linear_baselines(panel, until=cut, leads=LEADS)
    origins = np.arange(cut, stop - LEADS + 1, intervals_per_day(panel.interval), dtype=np.int32)
    errors = []
    for row in range(len(panel.series_ids)):
        series = np.full(len(origins), row, dtype=np.int32)
        quantiles = linear.forecast(panel, series=series, origin=origins, leads=LEADS).reshape(-1, 7)
        actual = window_targets(panel, series=series, origin=origins, leads=LEADS).ravel().astype(np.float64)
        known = np.isfinite(actual) & np.isfinite(quantiles).all(axis=1)
        errors.append(float(np.mean(pinball(actual[known], quantiles[known]))))
    return np.array(errors)


if __name__ == "__main__":
    main()
