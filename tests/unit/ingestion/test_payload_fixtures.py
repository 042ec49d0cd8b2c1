"""Messages and files in the formats that utilities send them, kept as they were written, give the same readings."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from gridcast.domain.tables import READINGS
from gridcast.ingestion.connectors.files import read_readings
from gridcast.ingestion.connectors.message_decoding import AvroSchema
from gridcast.ingestion.connectors.payload import Message, PayloadFormat, read_messages
from gridcast.ingestion.tabular.formats import FileFormat, TextFormat

FIXTURES = Path(__file__).parents[2] / "fixtures"
QUARTER = timedelta(minutes=15)
THREE = datetime(2024, 10, 27, 3, tzinfo=UTC)
ROWS = [
    ("m-17", THREE - QUARTER, 13.0, THREE),
    ("m-17", THREE, 14.0, THREE + QUARTER),
    ("m-18", THREE, 3.0, THREE + QUARTER),
]
"""In MW; after the end of summer time in Europe, on the day itself."""
TEXT = TextFormat(interval=QUARTER)
IN_MESSAGES = FileFormat(series_id="meter", valid_time="ts", load="kwh", unit="MWh", text=TEXT)


def readings(rows: list[tuple[Any, ...]] = ROWS) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=READINGS, orient="row")


@pytest.mark.parametrize(
    ("name", "encoding", "count"),
    [
        pytest.param("object.json", "json", 1, id="a JSON object"),
        pytest.param("array.json", "json", 3, id="a JSON array"),
        pytest.param("lines.json", "json", 3, id="JSON lines"),
        pytest.param("container.avro", "avro", 3, id="an Avro container file"),
        pytest.param("confluent.avro", "avro", 1, id="Avro behind a Confluent header"),
        pytest.param("stream.arrow", "arrow", 3, id="an Arrow stream"),
    ],
)
def test_a_message_gives_its_readings(name: str, encoding: Any, count: int) -> None:
    folder = FIXTURES / "messages"
    schema = AvroSchema.load(folder / "reading.avsc") if encoding == "avro" else None
    payload = PayloadFormat(readings_format=IN_MESSAGES, encoding=encoding, schema=schema)

    parsed = read_messages([Message((folder / name).read_bytes(), "topic", "0:0")], payload=payload)

    assert parsed.dead.is_empty()
    assert_frame_equal(parsed.rows, readings(ROWS[:count]))


GERMAN = TextFormat(
    interval=QUARTER,
    time_zone="Europe/Berlin",
    time_format="%d.%m.%Y %H:%M",
    separator=";",
    decimal_comma=True,
    thousands=".",
)


@pytest.mark.parametrize(
    ("name", "form"),
    [
        pytest.param("iso.csv", FileFormat(text=TEXT), id="the default columns"),
        pytest.param(
            "long_format.csv",
            FileFormat(series_id="unique_id", valid_time="ds", load="y", unit="kW", text=TEXT),
            id="long",
        ),
        pytest.param(
            "german_export.csv",
            FileFormat(series_id="Zähler", valid_time="Beginn", load="kWh", unit="kWh", text=GERMAN),
            id="a German export",
        ),
        pytest.param(
            "meters.parquet", FileFormat(series_id="meter", valid_time="start", load="mw", text=TEXT), id="Parquet"
        ),
    ],
)
def test_a_file_gives_its_readings(name: str, form: FileFormat) -> None:
    parsed = read_readings(FIXTURES / "files" / name, file_format=form)

    assert parsed.dead.is_empty()
    assert_frame_equal(parsed.rows, readings())
