"""Explanations made up by the hour."""

import itertools
from datetime import datetime, timedelta

import polars as pl

from gridcast.domain.tables import EXPLANATIONS
from gridcast.evaluation.attribution import QUANTITIES

FACTORS = {"weather": 1.0, "calendar": 0.0, "recent_load": -2.0}


def explanations(*, start: datetime, hours: int, series_id: str = "system") -> pl.DataFrame:
    """Weather contributes the number of the hour, MW, recent load twice as much against it; to the band a tenth."""
    rows = []
    for quantity, hour, (group, factor) in itertools.product(QUANTITIES, range(hours), FACTORS.items()):
        valid = start + timedelta(hours=hour)
        size = hour if quantity == "p50" else hour / 10
        times = (start, start - timedelta(days=7), "1", valid, valid - timedelta(days=7))
        rows.append((series_id, *times, quantity, group, factor * size, 100.0 - size, 100.0))
    return pl.DataFrame(rows, schema=EXPLANATIONS, orient="row")
