"""Rows as PostgreSQL's binary COPY reads them, taken apart again."""

import struct

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from gridcast.store.binary_copy import blocks

TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)
WHOLE = st.integers(-(2**63), 2**63 - 1)
ROWS = st.lists(st.tuples(TEXTS, WHOLE, st.floats(allow_nan=False), st.sampled_from(["", "model"])), max_size=30)
SCHEMA = pl.Schema({"series_id": pl.String, "issue_time": pl.Int64, "p50": pl.Float64, "layer": pl.String})


def taken_apart(content: bytes) -> list[tuple[str, int, float, str]]:
    assert content.startswith(b"PGCOPY\n\xff\r\n\0" + bytes(8))
    assert content.endswith(b"\xff\xff")
    rows, at, end = [], 19, len(content) - 2
    while at < end:
        assert struct.unpack_from("!h", content, at) == (4,)
        at, values = at + 2, []
        for _ in range(4):
            (size,) = struct.unpack_from("!i", content, at)
            values.append(content[at + 4 : at + 4 + size])
            at += 4 + size
        text, whole, number, other = values
        rows.append((text.decode(), struct.unpack("!q", whole)[0], struct.unpack("!d", number)[0], other.decode()))
    return rows


@given(ROWS)
def test_what_is_sent_are_the_rows(rows: list[tuple[str, int, float, str]]) -> None:
    assert taken_apart(b"".join(blocks(pl.DataFrame(rows, schema=SCHEMA, orient="row")))) == rows


def test_rows_of_several_pieces_come_in_order() -> None:
    rows = [(f"feeder_{number}", number, number / 8, "" if number % 3 else "model") for number in range(9_001)]
    pieces = list(blocks(pl.DataFrame(rows, schema=SCHEMA, orient="row")))
    assert len(pieces) > 3
    assert taken_apart(b"".join(pieces)) == rows
