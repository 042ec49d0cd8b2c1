"""Readings that a program pushes to the service: all of them land in the log, or none."""

import hashlib
import json
from collections.abc import Collection
from datetime import datetime

import polars as pl

from gridcast.domain.errors import GridcastError
from gridcast.domain.tables import PUSHED
from gridcast.store import pushes, reading_log
from gridcast.store.store import Store


class ReusedKeyError(GridcastError):
    """An idempotency key stands for another push."""


class UnknownSeriesError(GridcastError):
    """Rows are of series that are not measured; `rows`: their numbers from 1, and why."""

    def __init__(self, rows: pl.DataFrame, series_ids: list[str]) -> None:
        super().__init__(f"{rows.height:,} readings are of series that are not measured, such as {series_ids[0]!r}")
        self.rows = rows


def push_readings(
    store: Store,
    readings: pl.DataFrame,
    *,
    body: bytes,
    measured: Collection[str],
    actor: str,
    idempotency_key: str | None,
    at: datetime,
) -> int:
    """Land READINGS in one transaction; how many were new. With a key, a push that was answered is answered the same.

    Of an interval of a series that comes twice the last counts, so that without a key, too, the same push lands once.

    Args:
        store: where they land.
        readings: in order of arrival.
        body: what was sent: a key stands for these bytes.
        measured: the series that may have readings.
        actor: who pushes.
        idempotency_key: what the actor calls the push.
        at: now.

    Raises:
        UnknownSeriesError: rows are of other series; nothing landed.
        ReusedKeyError: the actor used the key for another push; nothing landed.
    """
    known = readings["series_id"].is_in(list(measured))
    if not known.all():
        strange = readings.with_row_index("row", offset=1).filter(~known)
        raise UnknownSeriesError(strange.select("row", reason=pl.lit("unknown_series")), strange["series_id"].to_list())
    newest = readings.unique(["series_id", "valid_time"], keep="last", maintain_order=True)
    position = json.dumps({"at": at.isoformat()})
    with store.transaction() as connection:
        if idempotency_key is None:
            return reading_log.land_batch(connection, newest, source=PUSHED, position=position, at=at, received_at=at)
        names = {"actor": actor, "idempotency_key": idempotency_key}
        request_hash = hashlib.sha256(body).hexdigest()
        if not pushes.claim(connection, **names, request_hash=request_hash, at=at):
            before, answer = pushes.answered(connection, **names)
            return _again(before, answer, request_hash=request_hash, idempotency_key=idempotency_key)
        landed = reading_log.land_batch(connection, newest, source=PUSHED, position=position, at=at, received_at=at)
        pushes.answer(connection, json.dumps({"landed": landed}), **names)
        return landed


def _again(before: str, answer: str, *, request_hash: str, idempotency_key: str) -> int:
    if before != request_hash:
        raise ReusedKeyError(
            f"idempotency key {idempotency_key!r} was used for another push; expected a new key for new readings."
        )
    return int(json.loads(answer)["landed"])
