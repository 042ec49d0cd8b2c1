"""Columns of a user's file turned into readings or weather; rows that cannot be are kept with a reason."""

from typing import Final, NamedTuple

import polars as pl

from gridcast.ingestion.formats import Layout
from gridcast.ingestion.timestamps import to_utc

ROW: Final = "row_in_file"
DEAD_ROWS: Final = pl.Schema({"source": pl.String(), "row": pl.Int64(), "reason": pl.String(), "raw": pl.String()})
"""Rows that could not be read: file name, row (1 is the first below the header), reason, the row's text."""


class Parsed(NamedTuple):
    """`rows`: what could be read, in file order; `dead`: DEAD_ROWS, what could not."""

    rows: pl.DataFrame
    dead: pl.DataFrame


def parse_columns(table: pl.DataFrame, *, layout: Layout, source: str, stem: str) -> Parsed:
    """Rows of a file (numbered by ROW) in the layout's schema; every other row is dead, with its first reason.

    Raises:
        GridcastError: timestamps have no zone, or a column does not hold times (see to_utc).
    """
    series = _identity(table, layout=layout, stem=stem)
    where = f"{source}, column {layout.valid_time!r}"
    times = to_utc(table[layout.valid_time], series=series, text=layout.text, where=where)
    numbers = table.select(*_number(layout, is_text=table[layout.value].dtype == pl.String))
    available = _available(table, times["time"], layout=layout, source=source)
    judged = pl.DataFrame(
        [
            series.alias("series"),
            *times.get_columns(),
            *numbers.get_columns(),
            *available.get_columns(),
        ]
    )
    identity, time, value, known = layout.schema.names()
    unnamed = pl.when(pl.col("series").is_null()).then(pl.lit(f"missing_{identity}"))
    reason = pl.coalesce(unnamed, "reason", "value_reason", "available_reason")
    reasons = judged.select(reason).to_series()
    rows = judged.select(
        pl.col("series").alias(identity),
        pl.col("time").alias(time),
        pl.col("value").alias(value),
        pl.col("available").alias(known),
    )
    is_dead = reasons.is_not_null()
    dead = dead_rows(table.filter(is_dead), reasons.filter(is_dead), source=source, separator=layout.text.separator)
    return Parsed(rows.filter(~is_dead).cast(layout.schema), dead)


def dead_rows(table: pl.DataFrame, reasons: pl.Series, *, source: str, separator: str = ",") -> pl.DataFrame:
    """DEAD_ROWS for rows of a file (numbered by ROW) and the reason of each."""
    texts = [pl.col(name).cast(pl.String).fill_null("") for name in table.columns if name != ROW]
    return table.select(
        pl.lit(source).alias("source"),
        pl.col(ROW).alias("row"),
        reasons.alias("reason"),
        pl.concat_str(texts, separator=separator).alias("raw"),
    ).cast(DEAD_ROWS)


def _identity(table: pl.DataFrame, *, layout: Layout, stem: str) -> pl.Series:
    if layout.identity is None:
        return pl.repeat(stem, table.height, dtype=pl.String, eager=True)
    written = pl.col(layout.identity).cast(pl.String).str.strip_chars()
    return table.select(pl.when(written != "").then(written)).to_series()


def _number(layout: Layout, *, is_text: bool) -> tuple[pl.Expr, pl.Expr]:
    given = pl.col(layout.value)
    if is_text:
        written = given.str.strip_chars()
        written = written.str.replace(",", ".", literal=True) if layout.text.decimal_comma else written
        given = pl.when(written != "").then(written)
    number = given.cast(pl.Float64, strict=False)
    reason = (
        pl.when(given.is_null())
        .then(pl.lit(f"missing_{layout.noun}"))
        .when(number.is_null())
        .then(pl.lit(f"{layout.noun}_not_a_number"))
        .when(~number.is_finite())
        .then(pl.lit(f"{layout.noun}_not_finite"))
        .otherwise(None)
    )
    value = number if (layout.scale, layout.shift) == (1.0, 0.0) else number * layout.scale + layout.shift
    return value.alias("value"), reason.alias("value_reason")


def _available(table: pl.DataFrame, times: pl.Series, *, layout: Layout, source: str) -> pl.DataFrame:
    """When each value was known: as received, or at its interval's end where that is not given."""
    at_end = (times + layout.text.interval).alias("available")
    if layout.received is None:
        return at_end.to_frame().with_columns(pl.lit(None, pl.String).alias("available_reason"))
    where = f"{source}, column {layout.received!r}"
    received = to_utc(table[layout.received], series=None, text=layout.text, where=where)
    is_given = table[layout.received].is_not_null()
    reason = pl.when(pl.lit(is_given) & pl.col("time").is_null()).then(pl.lit("unparsable_received_time"))
    return received.select(
        pl.when(pl.lit(is_given)).then("time").otherwise(pl.lit(at_end)).alias("available"),
        reason.otherwise(None).alias("available_reason"),
    )
