"""Operators overrule forecasts: their layer lies beside the model's, follows every new forecast, and is scored."""

from datetime import datetime

import polars as pl

from gridcast.domain.errors import GridcastError
from gridcast.domain.tables import FORECASTS, OVERRIDES, UTC_TIME, Layer, Quality, earliest
from gridcast.evaluation.overrides import Help, help_of, operator_layer
from gridcast.store import as_of, overrides
from gridcast.store.store import Store

_ACTUAL = pl.Schema({"series_id": pl.String(), "valid_time": UTC_TIME, "actual_mw": pl.Float64()})


def with_operators(store: Store, forecasts: pl.DataFrame) -> pl.DataFrame:
    """Forecasts of the model (`FORECASTS`) and, behind them, what standing overrides make of them."""
    if forecasts.is_empty():
        return forecasts
    with store.transaction() as connection:
        standing = overrides.kept(connection, in_force_at=earliest(forecasts["issue_time"]))
    return forecasts if standing.is_empty() else pl.concat([forecasts, operator_layer(forecasts, standing)])


def overrule(store: Store, override: pl.DataFrame) -> pl.DataFrame:
    """Keep an override (`OVERRIDES`, one row) and apply it to the newest forecast of its series; the layer's rows."""
    series_id = override.item(0, "series_id")
    with store.transaction() as connection:
        overrides.add(connection, override.select(OVERRIDES.names()))
        return _apply(connection, series_id)


def withdraw(store: Store, override_id: str, *, at: datetime, by: str) -> pl.DataFrame:
    """Let an override count no longer, from the newest forecast on; the override.

    Raises:
        GridcastError: it is not there, or was withdrawn before.
    """
    with store.transaction() as connection:
        if not overrides.withdraw(connection, override_id, at=at, by=by):
            raise GridcastError(f"override {override_id!r}: not there or withdrawn before; expected one that stands.")
        found = overrides.kept(connection, override_id=override_id)
        _apply(connection, found.item(0, "series_id"))
        return found


def help_of_override(store: Store, override: pl.DataFrame) -> Help:
    """Whether an override (`OVERRIDES`, one row) helped, over all forecasts it changed and intervals measured since."""
    series_id, start, end = override.select("series_id", "start", "end").row(0)
    with store.transaction() as connection:
        rows = as_of.between(connection, series_id, start=start, end=end)
    if rows.is_empty():
        return help_of(rows, _ACTUAL.to_frame())
    readings = store.readings_as_of(as_of.FAR_FUTURE, start=start, end=end, series_id=series_id)
    measured = readings.filter(pl.col("quality").is_in([Quality.GOOD.value, Quality.EDITED.value]))
    changed = operator_layer(rows, override.with_columns(withdrawn_at=pl.lit(None, UTC_TIME)))
    issued = rows.filter(layer=Layer.OPERATOR.value).join(
        changed, on=["series_id", "issue_time", "valid_time"], how="semi"
    )
    actual = measured.select("series_id", "valid_time", actual_mw="load_mw")
    return help_of(pl.concat([rows.filter(layer=Layer.MODEL.value), issued]), actual)


def _apply(connection: "as_of.Connection", series_id: str) -> pl.DataFrame:
    """Make the operators' layer of the newest forecast of a series anew."""
    newest = as_of.issue_time_at(connection, series_id, at=as_of.FAR_FUTURE, layer=Layer.MODEL)
    if newest is None:
        return FORECASTS.to_frame()
    model = as_of.issued(connection, series_id, issue_time=newest).filter(layer=Layer.MODEL.value)
    rows = operator_layer(model, overrides.kept(connection, series_id=series_id))
    overrides.replace_layer(connection, rows, series_id=series_id, issue_time=newest)
    return rows
