"""One series, every day, 48 hours ahead: contestants in processes of their own, scored alike."""

import json
import platform
import subprocess
import sys
import tempfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from benchmarks.accuracy.contestants import contestants, load_task
from benchmarks.accuracy.openstef_run import OPENSTEF, run_openstef
from benchmarks.accuracy.scores import scores

TARGET = 0.78
LARGEST_MAPE = 2.4
COVERAGE = {"coverage_80": (78.0, 82.0), "coverage_90": (88.0, 92.0)}
LARGEST_BUCKET_ERROR = 4.0
"""Points between a lead bucket's coverage and what the band promises."""
_SHOWN = ("pinball_mw", "mape", "coverage_80", "coverage_90", "train_s", "forecast_s", "peak_rss_mb")
_NEEDS = {"lightgbm": ("lightgbm",), "mlforecast": ("mlforecast", "lightgbm")}

Row = dict[str, Any]


def run(file: Path, *, quick: bool) -> dict[str, Any]:
    """Figures of every contestant; without the file nothing is measured, unless a quick run takes the sample."""
    if not quick and not file.is_file():
        return {**_NAMED, "ratio": None, "ok": True, "skipped": f"{file} is not here; name it by --victoria FILE"}
    with tempfile.TemporaryDirectory() as name:
        rows = _all_rows(Path(name), None if quick else file, quick=quick)
    _print(rows)
    missed = [] if quick else missed_targets(rows)
    return {
        **_NAMED,
        "ratio": _ratio(rows),
        "ok": not missed,
        "missed": missed,
        "data": "sample" if quick else "victoria",
        "contestants": rows,
        "machine": platform.machine(),
        "python": platform.python_version(),
        **{package: version(package) for package in ("keras", "numpy")},
    }


_NAMED = {"name": "accuracy", "dataset": "victoria", "target": TARGET}


def missed_targets(rows: dict[str, Row]) -> list[str]:
    """What gridcast did not reach, in words; empty if it reached everything."""
    gridcast, ratio = rows["gridcast"], _ratio(rows)
    missed = []
    if ratio is None or ratio > TARGET:
        missed.append(f"ratio {ratio} > {TARGET}")
    if gridcast["mape"] > LARGEST_MAPE:
        missed.append(f"mape {gridcast['mape']} > {LARGEST_MAPE}")
    for band, (least, most) in COVERAGE.items():
        if not least <= gridcast[band] <= most:
            missed.append(f"{band} {gridcast[band]} outside {least:.0f} to {most:.0f}")
        middle = (least + most) / 2
        missed += [
            f"{band} {share} at {bucket}"
            for bucket, share in gridcast[f"{band}_by_lead"].items()
            if abs(share - middle) > LARGEST_BUCKET_ERROR
        ]
    return missed


def _ratio(rows: dict[str, Row]) -> float | None:
    """Pinball of gridcast over LightGBM's; None where LightGBM is not installed."""
    if "pinball_mw" not in rows["lightgbm"]:
        return None
    return round(rows["gridcast"]["pinball_mw"] / rows["lightgbm"]["pinball_mw"], 3)


def _all_rows(folder: Path, file: Path | None, *, quick: bool) -> dict[str, Row]:
    task = load_task(file)
    actual = task.loads(task.origins)
    rows = {name: _run(name, folder, file, quick=quick) for name in contestants(quick=quick)}
    rows[OPENSTEF] = {"skipped": "quick run"} if quick else run_openstef(task, folder)
    for name, row in rows.items():
        if "skipped" not in row:
            row.update(scores(actual, np.load(folder / f"{name}.npy").astype(np.float64)))
    return rows


def _run(name: str, folder: Path, file: Path | None, *, quick: bool) -> Row:
    missing = absent(name)
    if missing:
        return {"skipped": missing}
    options = [*(["--victoria", str(file)] if file else []), *(["--quick"] if quick else [])]
    command = [sys.executable, "-m", "benchmarks.accuracy.contestants", name, str(folder), *options]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    figures: Row = json.loads(done.stdout.splitlines()[-1])
    sys.stderr.write(f"{name}: {figures}\n")
    return figures


def absent(contestant: str) -> str:
    """Why a contestant cannot run for want of its packages; empty if it can."""
    packages = [package for package in _NEEDS.get(contestant, ()) if not _is_installed(package)]
    return f"not installed: {', '.join(packages)}; see the extra bench" if packages else ""


def _is_installed(package: str) -> bool:
    try:
        version(package)
    except PackageNotFoundError:
        return False
    return True


def _print(rows: dict[str, Row]) -> None:
    table = pl.DataFrame(
        [{"contestant": name, **{key: row.get(key) for key in _SHOWN}} for name, row in rows.items()],
        infer_schema_length=None,
    )
    with pl.Config(
        tbl_rows=-1, tbl_cols=-1, tbl_width_chars=160, tbl_hide_dataframe_shape=True, tbl_hide_column_data_types=True
    ):
        print(table)  # noqa: T201
    for name, row in rows.items():
        if "skipped" in row:
            print(f"{name} skipped: {row['skipped']}")  # noqa: T201
