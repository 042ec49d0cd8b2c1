"""The whole clean history as a panel, for training and judging."""

from datetime import datetime

import polars as pl

from gridcast.domain.errors import GridcastError
from gridcast.domain.tables import Quality, earliest
from gridcast.features.panel import Panel, panel_from_frames
from gridcast.workflows.processed import Processed


def history_panel(processed: Processed, *, observed_only: bool = False, until: datetime | None = None) -> Panel:
    """Every series of the processed history on one grid, up to its end or to `until`.

    Args:
        processed: the clean history.
        observed_only: leave estimated loads out, as scores are taken against measurements alone.
        until: exclusive end of the grid.

    Raises:
        GridcastError: nothing was measured before `until`.
    """
    readings = processed.readings()
    begins = earliest(readings["valid_time"])
    if until is not None and begins >= until:
        raise GridcastError(
            f"the history begins {begins:%Y-%m-%d %H:%MZ}; expected some of it before {until:%Y-%m-%d %H:%MZ}, as the "
            "days after that are kept for judging. Ingest a longer history, or lower backtest.days in "
            "config/model_config.yaml."
        )
    if observed_only:
        measured = pl.col("quality").is_in([Quality.GOOD.value, Quality.EDITED.value])
        readings = readings.with_columns(pl.when(measured).then("load_mw").alias("load_mw"))
    return panel_from_frames(
        readings,
        weather=processed.weather(),
        holidays=processed.holidays(),
        time_zones=processed.hierarchy.time_zones,
        interval=processed.interval,
        series_ids=processed.hierarchy.ids,
        until=until,
    )
