"""OpenSTEF needs a newer Python than gridcast's oldest: uv makes it an environment of its own, where it can."""

import json
import os
import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from benchmarks.accuracy.tasks import LEADS, Task
from gridcast.domain.quantiles import QUANTILE_LEVELS

OPENSTEF = "openstef"
PACKAGES = ("openstef==4.7.*", "lightgbm>=4.6")
PYTHON = ">=3.12,<3.14"
INSTALLED = "versions/3.1[23].*/bin/python"
"""Below the folder where pyenv, if it is there, keeps interpreters that uv does not look for."""
PREPARATION = timedelta(minutes=5)
"""How long making the environment may take."""
PLACE = {"country": "AU", "coordinate": {"latitude": -37.8, "longitude": 145.0}}


def run_openstef(task: Task, folder: Path) -> dict[str, Any]:
    """Its figures, quantiles in `folder/openstef.npy`; or why there are none."""
    uv = _uv()
    if uv is None:
        return {"skipped": "uv is not installed"}
    python = [uv, "run", "--quiet", "--no-project", "--python", _interpreter()]
    python += [part for package in PACKAGES for part in ("--with", package)]
    try:
        subprocess.run(
            [*python, "python", "-c", "import openstef_models, lightgbm"],
            check=True,
            stderr=subprocess.PIPE,
            text=True,
            timeout=PREPARATION.total_seconds(),
        )
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        return {"skipped": f"no environment: {_last_line(error)}"}
    _write(task, folder)
    script = Path(__file__).with_name("openstef.py")
    subprocess.run([*python, "python", str(script), str(folder)], check=True, stdout=subprocess.DEVNULL)
    (folder / "quantiles.npy").rename(folder / f"{OPENSTEF}.npy")
    figures = json.loads((folder / "figures.json").read_text(encoding="utf-8"))
    return {name: round(value, 1) for name, value in figures.items()}


def _interpreter() -> str:
    """A fitting one that is here already, else what uv is to look for or download."""
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    return str(max(root.glob(INSTALLED), default=PYTHON))


def _uv() -> str | None:
    beside = Path(sys.executable).with_name("uv")
    return str(beside) if beside.is_file() else shutil.which("uv")


def _last_line(error: subprocess.CalledProcessError | subprocess.TimeoutExpired) -> str:
    if isinstance(error, subprocess.TimeoutExpired):
        return f"not ready after {PREPARATION}"
    lines = [line for line in error.stderr.splitlines() if line.strip()]
    return lines[-1].strip() if lines else f"exit status {error.returncode}"


def _write(task: Task, folder: Path) -> None:
    panel = task.panel
    hours = pl.DataFrame(
        {
            "timestamp": pl.Series(panel.time).dt.replace_time_zone("UTC"),
            "load": panel.load_mw[0].astype(np.float64),
            "temperature": panel.temperature_c[panel.mix_of_series[0]].astype(np.float64),
        }
    )
    hours.write_parquet(folder / "hours.parquet")
    facts = {
        "leads": LEADS,
        "quantiles": QUANTILE_LEVELS,
        "train_until": task.train_until,
        "origins": task.origins.tolist(),
        **PLACE,
    }
    (folder / "task.json").write_text(json.dumps(facts), encoding="utf-8")
