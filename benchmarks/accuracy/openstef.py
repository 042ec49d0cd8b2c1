"""OpenSTEF 4.7 in an environment of its own: `python openstef.py FOLDER` reads and writes files only.

FOLDER holds `hours.parquet` (timestamp UTC, load MW, temperature, °C) and `task.json`; `quantiles.npy`
(fold, lead, quantile) and `figures.json` are written to it. Nothing of gridcast is imported.
"""

import json
import resource
import sys
import time
from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd
from openstef_core.datasets import TimeSeriesDataset
from openstef_core.types import LeadTime, Q
from openstef_models.presets import ForecastingWorkflowConfig, create_forecasting_workflow

HOUR = timedelta(hours=1)
HISTORY = timedelta(days=30)


def main() -> None:
    """Fit once, forecast every fold."""
    folder = Path(sys.argv[1])
    task = json.loads((folder / "task.json").read_text(encoding="utf-8"))
    hours = pd.read_parquet(folder / "hours.parquet").set_index("timestamp")
    leads, levels = task["leads"], task["quantiles"]
    workflow = create_forecasting_workflow(
        ForecastingWorkflowConfig(
            model_id="benchmark",
            model="lgbm",
            quantiles=[Q(level) for level in levels],
            sample_interval=HOUR,
            horizons=[LeadTime(leads * HOUR)],
            location={"country_code": task["country"], "coordinate": task["coordinate"]},
            mlflow_storage=None,
        )
    )
    began = time.monotonic()
    workflow.fit(TimeSeriesDataset(hours.iloc[: task["train_until"]], HOUR))
    fitted = time.monotonic()
    folds = []
    for origin in hours.index[task["origins"]]:
        window = hours.loc[origin - HISTORY : origin + (leads - 1) * HOUR].copy()
        window.loc[origin:, "load"] = np.nan
        forecast = workflow.predict(TimeSeriesDataset(window, HOUR), forecast_start=origin).data
        folds.append(forecast[[f"quantile_P{100 * level:02.0f}" for level in levels]].iloc[:leads].to_numpy())
    np.save(folder / "quantiles.npy", np.stack(folds))
    figures = {
        "train_s": fitted - began,
        "forecast_s": time.monotonic() - fitted,
        "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    (folder / "figures.json").write_text(json.dumps(figures), encoding="utf-8")


if __name__ == "__main__":
    main()
