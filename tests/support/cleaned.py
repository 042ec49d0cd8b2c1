"""Readings cleaned in one call."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import polars as pl

from gridcast.quality.cells import place
from gridcast.quality.cleaning import Cleaned, clean_block


def clean_readings(
    readings: pl.DataFrame, *, time_zones: Mapping[str, str], interval: timedelta, **how: Any
) -> Cleaned:
    """`clean_block` of `READINGS`."""
    placed = place(readings, time_zones=time_zones, interval=interval)
    return clean_block(placed, time_zones=time_zones, interval=interval, **how)
