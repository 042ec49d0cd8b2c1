"""Whether the parts of a store fit each other."""

from collections.abc import Iterator

import sqlalchemy as sa

from gridcast.store import schema
from gridcast.store.dialect import dialect_of
from gridcast.store.moments import moment

_FORECASTS = schema.FORECASTS.c
_RUNS = schema.LATEST_RUNS.c
_LANDINGS = schema.LANDINGS.c


def faults(connection: sa.Connection) -> Iterator[str]:
    """What is wrong with a store, in words; nothing if it is sound. Every forecast is read once."""
    yield from dialect_of(connection).faults(connection)
    yield from _schema_faults(connection)
    yield from _newest_runs(connection)
    yield from _log_offsets(connection)


def _schema_faults(connection: sa.Connection) -> Iterator[str]:
    found = {name: columns for (_, name), columns in sa.inspect(connection).get_multi_columns().items()}
    for table in schema.METADATA.sorted_tables:
        missing = set(table.columns.keys()) - {column["name"] for column in found.get(table.name, [])}
        if missing:
            yield f"table {table.name} lacks {', '.join(sorted(missing))}"
    if "forecast_latest" not in sa.inspect(connection).get_view_names():
        yield "the view forecast_latest is missing"


def _newest_runs(connection: sa.Connection) -> Iterator[str]:
    rows = sa.select(*(_FORECASTS[name] for name in _KEYS)).distinct()
    runs = sa.select(*(schema.RUNS.c[name] for name in _KEYS))
    for one, other, told in ((rows, runs, "forecasts that no run tells of"), (runs, rows, "runs without forecasts")):
        more = one.except_(other).subquery()
        count = connection.scalar(sa.select(sa.func.count()).select_from(more))
        if count:
            yield f"there are {count:,} {told}"
    newest = sa.select(schema.RUNS.c.series_id, schema.RUNS.c.layer, sa.func.max(schema.RUNS.c.issue_time))
    stored = {(row[0], row[1]): row[2] for row in connection.execute(newest.group_by("series_id", "layer"))}
    noted = {(row[0], row[1]): row[2] for row in connection.execute(sa.select(*(_RUNS[name] for name in _KEYS)))}
    for series_id, layer in sorted(stored.keys() | noted.keys()):
        is_time, says_time = stored.get((series_id, layer)), noted.get((series_id, layer))
        if is_time != says_time:
            yield (
                f"series {series_id!r}, layer {layer}: the newest run is of {_told(is_time)}, latest_runs says "
                f"{_told(says_time)}"
            )


_KEYS = ("series_id", "layer", "issue_time")


def _log_offsets(connection: sa.Connection) -> Iterator[str]:
    head = int(connection.scalar(sa.select(sa.func.max(schema.READING_LOG.c.log_offset))) or 0)
    for consumer, offset in connection.execute(
        sa.select(schema.CONSUMERS.c.consumer, schema.CONSUMERS.c.log_offset).order_by("consumer")
    ):
        if offset > head:
            yield f"consumer {consumer!r} stands at {offset:,}, behind the end of the log at {head:,}"
    before = 0
    landings = sa.select(_LANDINGS.first_offset, _LANDINGS.last_offset).order_by(_LANDINGS.last_offset)
    for first, last in connection.execute(landings):
        if not before < first <= last:
            yield f"landing of {first:,} to {last:,} overlaps the one before, which ends at {before:,}"
        before = last
    if before > head:
        yield f"the newest landing ends at {before:,}, behind the end of the log at {head:,}"


def _told(microseconds: int | None) -> str:
    return "none" if microseconds is None else f"{moment(microseconds):%Y-%m-%d %H:%MZ}"
