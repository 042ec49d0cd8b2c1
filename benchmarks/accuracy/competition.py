"""GEFCom2012 scored as its organisers did: weighted root mean square error over all withheld weeks, kW."""

import json
import platform
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from benchmarks.accuracy.daily import absent
from benchmarks.accuracy.tasks import SYSTEM
from benchmarks.accuracy.week_contestants import learners
from benchmarks.accuracy.weeks import BACKCAST, FORECAST, LEADS
from gridcast.ingestion.sample import INTERVAL, read_withheld

Row = dict[str, Any]
Floats = npt.NDArray[np.float64]

PUBLISHED_KW = 71_387
"""Of an ensemble published in 2012: 58,406 over the backcast weeks, 82,346 over the forecast week."""
TARGET = 1.0
_KW_PER_MW = 1_000
_NOT_HERE = {
    "mlforecast": {"skipped": "it needs a history without gaps; this task withholds weeks amid it"},
    "openstef": {"skipped": "it has no forecast of weeks amid a history from both their sides"},
}


def run(*, quick: bool) -> dict[str, Any]:
    """Figures of every contestant; the ratio is gridcast's error to that of the published ensemble."""
    with tempfile.TemporaryDirectory() as name:
        rows = {each: _run(each, Path(name), quick=quick) for each in learners(quick=quick)}
    withheld = read_withheld()
    rows["organisers_benchmark"] = errors(withheld.benchmark)
    rows.update(_NOT_HERE)
    _print(rows)
    ratio = round(rows["gridcast"]["wrmse_kw"] / PUBLISHED_KW, 3)
    return {
        "name": "accuracy",
        "dataset": "gefcom2012",
        "ratio": ratio,
        "target": TARGET,
        "ok": quick or ratio < TARGET,
        "missed": [] if ratio < TARGET else [f"{rows['gridcast']['wrmse_kw']} kW >= {PUBLISHED_KW} kW"],
        "published_kw": PUBLISHED_KW,
        "forecast_week_weather": "none: mean over that of four past years, as benchmarks.accuracy.week_weather chose",
        "contestants": rows,
        "machine": platform.machine(),
        "python": platform.python_version(),
        **{package: version(package) for package in ("keras", "numpy")},
    }


def errors(solution: pl.DataFrame) -> Row:
    """Weighted root mean square errors, kW, of `series_id`, `valid_time`, `load_mw` over everything and each part."""
    joined = read_withheld().load.join(solution, on=["series_id", "valid_time"], how="left", suffix="_forecast")
    squared = (pl.col("load_mw_forecast") - pl.col("load_mw")).pow(2) * pl.col("weight")
    is_forecast = pl.col("valid_time") >= FORECAST
    parts = {"wrmse_kw": pl.lit(value=True), "backcast_kw": ~is_forecast, "forecast_kw": is_forecast}
    row = joined.select(
        (squared.filter(part).sum() / pl.col("weight").filter(part).sum()).sqrt().alias(name)
        for name, part in parts.items()
    ).row(0, named=True)
    if joined["load_mw_forecast"].null_count() or joined["load_mw_forecast"].is_nan().any():
        raise SystemExit("the solution has holes; an error over the rest would be worth nothing.")
    return {name: round(_KW_PER_MW * value) for name, value in row.items()}


def solution(loads: Floats) -> pl.DataFrame:
    """`series_id`, `valid_time`, `load_mw` of loads (week, series, lead), the system last."""
    zones = loads.shape[1] - 1
    ids = [*(f"zone_{number:02d}" for number in range(1, zones + 1)), SYSTEM]
    parts = []
    for week, start in zip(loads, (*BACKCAST, FORECAST), strict=True):
        times = pl.datetime_range(start, start + LEADS * INTERVAL, INTERVAL, closed="left", eager=True)
        parts += [
            pl.DataFrame({"series_id": series_id, "valid_time": times, "load_mw": load})
            for series_id, load in zip(ids, week, strict=True)
        ]
    return pl.concat(parts)


def _run(name: str, folder: Path, *, quick: bool) -> Row:
    missing = absent(name)
    if missing:
        return {"skipped": missing}
    command = [sys.executable, "-m", "benchmarks.accuracy.week_contestants", name, str(folder)]
    done = subprocess.run([*command, *(["--quick"] if quick else [])], check=True, stdout=subprocess.PIPE, text=True)
    figures: Row = json.loads(done.stdout.splitlines()[-1])
    row = {**errors(solution(np.load(folder / f"{name}.npy"))), **figures}
    sys.stderr.write(f"{name}: {row}\n")
    return row


def _print(rows: dict[str, Row]) -> None:
    shown = ("wrmse_kw", "backcast_kw", "forecast_kw", "seconds", "peak_rss_mb")
    with pl.Config(tbl_rows=-1, tbl_width_chars=120, tbl_hide_dataframe_shape=True, tbl_hide_column_data_types=True):
        print(  # noqa: T201
            pl.DataFrame(
                [{"contestant": name, **{key: row.get(key) for key in shown}} for name, row in rows.items()],
                infer_schema_length=None,
            )
        )
