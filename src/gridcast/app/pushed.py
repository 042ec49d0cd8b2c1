"""Bodies of pushes as readings, or the reason of every row that is none."""

import io
import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

import polars as pl

from gridcast.app.errors import BadRequestError, TooLargeError
from gridcast.domain.tables import READINGS, UTC_TIME
from gridcast.ingestion.connectors.message_decoding import Broken, arrow_columns

_MOST_TOLD: Final = 100
_LONGEST_ID: Final = 200
_REQUIRED: Final = ("series_id", "valid_time", "load_mw")
_NO_JSON: Final = 'the body is no JSON of the form {"readings": [{"series_id": …, "valid_time": …, "load_mw": …}]}.'
_OFFSET: Final = r"(?:[Zz]|[+-]\d{2}:?\d{2})$"


def parsed(body: bytes, *, kind: str, now: datetime, most: int) -> pl.DataFrame:
    """READINGS in a body, in its order; those that do not say when they were received were received now.

    Raises:
        BadRequestError: the body cannot be read, or rows are wrong: all that are wrong are told, up to 100.
        TooLargeError: more than `most` rows.
    """
    given = MEDIA_TYPES[kind](body)
    if given.height > most:
        raise TooLargeError(f"{given.height:,} readings at once; expected at most {most:,}. Push them in parts.")
    missing = [name for name in _REQUIRED if name not in given.columns]
    if missing:
        raise BadRequestError(
            f"no column {', '.join(missing)}; expected {', '.join(_REQUIRED)} and, if known, available_at."
        )
    found = given.select(
        _text("series_id").alias("series_id"),
        _time(given, "valid_time").alias("valid_time"),
        _number(given, "load_mw").alias("load_mw"),
        (_time(given, "available_at") if "available_at" in given.columns else pl.lit(None, UTC_TIME)).alias(
            "available_at"
        ),
    )
    _require_sense(given, found)
    return found.with_columns(pl.col("available_at").fill_null(pl.lit(now, UTC_TIME))).select(READINGS.names())


def _require_sense(given: pl.DataFrame, found: pl.DataFrame) -> None:
    has_received = pl.col("given_received").is_not_null() & pl.col("available_at").is_null()
    told = found.with_columns(
        given_load=given["load_mw"].is_not_null(),
        given_received=given["available_at"] if "available_at" in given.columns else pl.lit(None, pl.String),
    ).with_row_index("row", offset=1)
    reason = (
        pl.when(pl.col("series_id").is_null() | (pl.col("series_id").str.len_chars() == 0))
        .then(pl.lit("missing_series_id"))
        .when(pl.col("series_id").str.len_chars() > _LONGEST_ID)
        .then(pl.lit("series_id_too_long"))
        .when(pl.col("valid_time").is_null())
        .then(pl.lit("unparsable_time"))
        .when(pl.col("given_load") & pl.col("load_mw").is_null())
        .then(pl.lit("load_not_a_number"))
        .when(~pl.col("load_mw").is_finite())
        .then(pl.lit("load_not_finite"))
        .when(has_received)
        .then(pl.lit("unparsable_received_time"))
    )
    wrong = told.select("row", reason=reason).drop_nulls()
    if wrong.height:
        raise rows_refused(wrong)


def rows_refused(wrong: pl.DataFrame) -> BadRequestError:
    """A refusal that tells rows (`row`, `reason`) of a body, counted from 1."""
    first = wrong.row(0, named=True)
    return BadRequestError(
        f"{wrong.height:,} rows cannot be used, the first is row {first['row']}: {first['reason']}; none was kept. "
        "Mend them and push all again.",
        more={"rows": wrong.head(_MOST_TOLD).to_dicts()},
    )


def _text(name: str) -> pl.Expr:
    return pl.col(name).cast(pl.String, strict=False)


def _time(given: pl.DataFrame, name: str) -> pl.Expr:
    """UTC times; texts need their offset."""
    kind = given.schema[name]
    if isinstance(kind, pl.Datetime):
        return pl.col(name).cast(UTC_TIME) if kind.time_zone else pl.lit(None, UTC_TIME)
    text = _text(name)
    has_offset = text.str.contains(_OFFSET)
    whole = text.str.replace(r"[Zz]$", "+00:00").str.replace(r"^(\d{4}-\d\d-\d\d[T ]\d\d:\d\d)([+-])", "$1:00$2")
    time = whole.str.replace(" ", "T", literal=True).str.to_datetime(
        "%Y-%m-%dT%H:%M:%S%.f%z", time_unit="us", strict=False
    )
    in_range = time.dt.year().is_between(1900, 2199)
    return pl.when(has_offset & in_range).then(time.dt.convert_time_zone("UTC"))


def _number(given: pl.DataFrame, name: str) -> pl.Expr:
    kind = given.schema[name]
    return pl.col(name).cast(pl.Float64, strict=False) if kind != pl.Boolean else pl.lit(None, pl.Float64)


def _from_json(body: bytes) -> pl.DataFrame:
    try:
        rows = json.loads(body)["readings"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise BadRequestError(_NO_JSON) from error
    if not isinstance(rows, list) or not all(isinstance(each, dict) for each in rows):
        raise BadRequestError(_NO_JSON)
    names = [name for name in READINGS.names() if name != "available_at" or any(name in each for each in rows)]
    return pl.DataFrame({name: pl.Series(name, [_plain(row.get(name)) for row in rows], pl.String) for name in names})


def _plain(value: Any) -> str | None:
    """A field as text, so that each is judged by itself; what is neither text nor number is none."""
    if value is None or isinstance(value, str):
        return value
    return repr(value) if isinstance(value, int | float) and not isinstance(value, bool) else f"?{value!r}"


def _from_csv(body: bytes) -> pl.DataFrame:
    try:
        return pl.read_csv(io.BytesIO(body), infer_schema=False, raise_if_empty=False, truncate_ragged_lines=False)
    except (pl.exceptions.PolarsError, UnicodeDecodeError) as error:
        raise BadRequestError(
            "the body is no CSV in UTF-8; expected a header series_id,valid_time,load_mw and a row per reading."
        ) from error


def _from_arrow(body: bytes) -> pl.DataFrame:
    found = arrow_columns(body, names=READINGS.names())
    if isinstance(found, Broken):
        raise BadRequestError(
            f"the body is no Arrow stream that can be read ({found.reason}); expected an uncompressed one."
        )
    return pl.DataFrame(found)


MEDIA_TYPES: Final[Mapping[str, Callable[[bytes], pl.DataFrame]]] = {
    "application/json": _from_json,
    "text/csv": _from_csv,
    "application/vnd.apache.arrow.stream": _from_arrow,
}
"""What is understood."""
