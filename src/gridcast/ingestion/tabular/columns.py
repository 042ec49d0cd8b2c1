"""Columns of a user's file turned into readings or weather; rows that cannot be are kept with a reason."""

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

import polars as pl

from gridcast.domain.errors import GridcastError
from gridcast.ingestion.tabular.formats import Layout, TextFormat
from gridcast.ingestion.tabular.timestamps import to_utc, within_reach

ROW: Final = "\0row"
"""Column with the number of a row; no header can hold this name."""
DEAD_ROWS: Final = pl.Schema({"source": pl.String(), "row": pl.Int64(), "reason": pl.String(), "raw": pl.String()})
"""Rows that could not be read: file name, row (1 is the line below the header), reason, the row's text, shortened."""
_RAW_CHARACTERS: Final = 1000
_SPELLABLE: Final = 8e18
"""Microseconds from 1970; a timestamp or date further off has no text."""
_GROUPS: Final = {None: "[^\\s\\S]", ",": ",", ".": r"\.", " ": r"[\s]", "'": "['’]"}
"""What may stand between groups of digits, as patterns; None: nothing."""


class Table(NamedTuple):
    """A file's rows as they stand in it.

    `rows`: ROW and a column per name in the `header`, named as by `unique_names`. `dead`: DEAD_ROWS, what is no row.
    """

    header: tuple[str, ...]
    rows: pl.DataFrame
    dead: pl.DataFrame


class Parsed(NamedTuple):
    """`rows`: what could be read, in file order; `dead`: DEAD_ROWS, what could not."""

    rows: pl.DataFrame
    dead: pl.DataFrame


def parse_columns(table: pl.DataFrame, *, layout: Layout, source: str, stem: str) -> Parsed:
    """Rows of a file (numbered by ROW) in the layout's schema; every other row is dead, with its first reason.

    Raises:
        GridcastError: timestamps have no zone, or a column does not hold times (see to_utc) or numbers.
    """
    kind = table[layout.value].dtype
    if not (kind.is_numeric() or kind == pl.String):
        raise GridcastError(f"{source}, column {layout.value!r}: holds {kind}; expected numbers.")
    series = _identity(table, layout=layout, stem=stem)
    where = f"{source}, column {layout.valid_time!r}"
    times = to_utc(table[layout.valid_time], series=series, text=layout.text, where=where)
    numbers = table.select(*_number(layout, is_text=kind == pl.String))
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
    texts = [_text(table[name]).fill_null("") for name in table.columns if name != ROW]
    raw = pl.concat_str(texts, separator=separator)
    short = pl.when(raw.str.len_chars() <= _RAW_CHARACTERS).then(raw).otherwise(raw.str.head(_RAW_CHARACTERS - 1) + "…")
    return table.select(
        pl.lit(source).alias("source"),
        pl.col(ROW).alias("row"),
        reasons.alias("reason"),
        short.alias("raw"),
    ).cast(DEAD_ROWS)


def unique_names(header: Sequence[str]) -> list[str]:
    """The names of a header, each later one that stands there already made another."""
    first = {name: at for at, name in reversed(list(enumerate(header)))}
    return [name if first[name] == at else f"\0{at}" for at, name in enumerate(header)]


def shortened(text: str) -> str:
    """`text` cut to the length that a dead letter keeps."""
    return text if len(text) <= _RAW_CHARACTERS else f"{text[: _RAW_CHARACTERS - 1]}…"


def _text(column: pl.Series) -> pl.Series:
    """A column as text; a timestamp or date that has none, and a length of time, as its number."""
    if isinstance(column.dtype, pl.Duration):
        return column.to_physical().cast(pl.String)
    if not isinstance(column.dtype, pl.Datetime | pl.Date):
        return column.cast(pl.String)
    return within_reach(column, furthest=_SPELLABLE).cast(pl.String).fill_null(column.to_physical().cast(pl.String))


def _identity(table: pl.DataFrame, *, layout: Layout, stem: str) -> pl.Series:
    if layout.identity is None:
        return pl.repeat(stem, table.height, dtype=pl.String, eager=True)
    written = _text(table[layout.identity]).str.strip_chars()
    return written.set(written == "", None)


def _number(layout: Layout, *, is_text: bool) -> tuple[pl.Expr, pl.Expr]:
    given = pl.col(layout.value)
    number = given
    if is_text:
        written = given.str.strip_chars()
        given = pl.when(written != "").then(written)
        number = _with_decimal_point(given, text=layout.text)
    number = number.cast(pl.Float64, strict=False)
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


def _with_decimal_point(written: pl.Expr, *, text: TextFormat) -> pl.Expr:
    """Numbers without groups of digits; null where the marks do not stand as the format says."""
    if not text.decimal_comma and text.thousands is None:
        return written
    group, mark = _GROUPS[text.thousands], re.escape(text.decimal_mark)
    number = rf"[+-]?(?:\d+|\d{{1,3}}(?:{group}\d{{3}})+)?(?:{mark}\d*)?(?:[eE][+-]?\d+)?"
    plain = written.str.replace_all(group, "").str.replace(text.decimal_mark, ".", literal=True)
    return pl.when(written.str.contains(rf"^(?:{number}|[+-]?[A-Za-z]+)$")).then(plain)


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
