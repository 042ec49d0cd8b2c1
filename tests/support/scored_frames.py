"""Scored frames of three forecasters whose errors differ in size."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from gridcast.domain.quantiles import QUANTILE_COLUMNS
from gridcast.domain.tables import UTC_TIME

ISSUES = tuple(datetime(2024, 6, 1 + day, tzinfo=UTC) for day in range(3))
SPREADS = {"model": 1.0, "linear": 2.0, "naive": 4.0}
OFFSETS = np.array([-1.6, -1.3, -0.7, 0.0, 0.7, 1.3, 1.6])


def forecaster_rows(
    name: str,
    *,
    series: tuple[str, ...] = ("system", "zone_01"),
    leads: int = 48,
    issues: tuple[datetime, ...] = ISSUES,
) -> pl.DataFrame:
    """Each series has an actual of about 100 MW; a forecaster errs by about its spread."""
    keys = [(one, issue, issue + timedelta(hours=lead)) for one in series for issue in issues for lead in range(leads)]
    frame = pl.DataFrame(
        keys, schema={"series_id": pl.String, "issue_time": UTC_TIME, "valid_time": UTC_TIME}, orient="row"
    )
    actual = 100.0 + 30.0 * np.random.default_rng(7).normal(size=len(keys))
    error = SPREADS.get(name, 1.0) * np.random.default_rng(len(name)).normal(size=len(keys))
    quantiles = (actual + error)[:, np.newaxis] + SPREADS.get(name, 1.0) * OFFSETS
    columns = {column: quantiles[:, place] for place, column in enumerate(QUANTILE_COLUMNS)}
    return frame.with_columns(forecaster=pl.lit(name), actual_mw=actual, **columns)


def scored_frame(*names: str) -> pl.DataFrame:
    """Some forecasters, by default all, below each other."""
    return pl.concat([forecaster_rows(name) for name in names or tuple(SPREADS)])
