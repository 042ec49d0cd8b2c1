"""Messages of every encoding become the same readings, and whatever cannot be read is kept with its reason."""

import io
import json
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import fastavro
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from gridcast.domain.errors import UsageError
from gridcast.domain.tables import READINGS
from gridcast.ingestion.connectors.message_decoding import MAX_ROWS, AvroSchema
from gridcast.ingestion.connectors.payload import Message, PayloadFormat, read_messages
from gridcast.ingestion.tabular.columns import DEAD_ROWS, Parsed
from gridcast.ingestion.tabular.formats import FileFormat, TextFormat

NOON = datetime(2024, 6, 1, 12, tzinfo=UTC)
RECORD: dict[str, Any] = {
    "type": "record",
    "name": "Reading",
    "fields": [
        {"name": "series_id", "type": ["null", "string"]},
        {"name": "valid_time", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "load_mw", "type": "double"},
    ],
}
ROW = {"series_id": "a", "valid_time": NOON, "load_mw": 1.5}


def read(
    *contents: bytes,
    encoding: Any = "json",
    form: FileFormat = FileFormat(),  # noqa: B008 - frozen
    schema: AvroSchema | None = None,
    **more: Any,
) -> Parsed:
    payload = PayloadFormat(readings_format=form, encoding=encoding, schema=schema, **more)
    messages = [Message(content, f"name{number}", f"place{number}") for number, content in enumerate(contents)]
    return read_messages(messages, payload=payload)


def as_json(**fields: object) -> bytes:
    return json.dumps({"series_id": "a", "valid_time": "2024-06-01T12:00:00Z", "load_mw": 1.5, **fields}).encode()


def avro_schema(tmp_path: Path, schema: object = RECORD) -> AvroSchema:
    path = tmp_path / "reading.avsc"
    path.write_text(json.dumps(schema))
    return AvroSchema.load(path)


def datum(row: object, schema: Any = RECORD) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(schema), row)
    return out.getvalue()


def container(*rows: Mapping[str, Any], schema: Any = RECORD, codec: str = "null") -> bytes:
    out = io.BytesIO()
    fastavro.writer(out, fastavro.parse_schema(schema), rows, codec=codec)
    return out.getvalue()


def arrow(**columns: Any) -> Any:
    return pa.table({"series_id": ["a"], "valid_time": [NOON], "load_mw": [1.5], **columns})


def stream(table: Any) -> bytes:
    out = io.BytesIO()
    with pa.ipc.new_stream(out, table.schema) as writer:
        writer.write_table(table)
    return out.getvalue()


def expected(*loads: float, series_id: str = "a", start: datetime = NOON) -> pl.DataFrame:
    hour = timedelta(hours=1)
    rows = [(series_id, start + step * hour, load, start + (step + 1) * hour) for step, load in enumerate(loads)]
    return pl.DataFrame(rows, schema=READINGS, orient="row")


def reasons(parsed: Parsed) -> list[str]:
    assert parsed.dead.schema == DEAD_ROWS
    return parsed.dead["reason"].to_list()


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(as_json(), id="an object"),
        pytest.param(b"[" + as_json() + b"]", id="an array"),
        pytest.param(as_json() + b"\n\n", id="a line"),
        pytest.param("\ufeff".encode() + as_json(), id="byte order mark"),
        pytest.param(as_json(load_mw="1.5", note={"deep": [1]}), id="a load as text and other fields"),
        pytest.param(as_json(valid_time="2024-06-01 14:00+02:00"), id="another offset"),
    ],
)
def test_json_is_an_object_an_array_or_lines(content: bytes) -> None:
    parsed = read(content)
    assert_frame_equal(parsed.rows, expected(1.5))
    assert parsed.dead.is_empty()


def test_rows_stay_in_order_of_arrival_across_messages() -> None:
    times = [(NOON + timedelta(hours=hour)).isoformat() for hour in range(4)]
    lines = b"\n".join(as_json(valid_time=time, load_mw=hour) for hour, time in enumerate(times[:2]))
    array = json.dumps([json.loads(as_json(valid_time=time, load_mw=hour)) for hour, time in enumerate(times[2:], 2)])
    assert_frame_equal(read(lines, b"{", array.encode()).rows, expected(0, 1, 2, 3))


def test_names_units_and_clock_follow_the_format_and_the_message_names_the_series() -> None:
    form = FileFormat(
        series_id=None,
        valid_time="ts",
        load="kwh",
        received="seen",
        unit="kWh",
        text=TextFormat(interval=timedelta(minutes=15), time_zone="Europe/London"),
    )
    content = b'{"ts": "2024-06-01 13:00", "kwh": 500, "seen": 1717243200}'
    parsed = read(b"{", content, form=form, time_unit="s")
    assert parsed.rows.rows() == [("name1", NOON, 2.0, NOON)]


@pytest.mark.parametrize(
    ("unit", "number"),
    [("s", 1717243200), ("s", 1717243200.0), ("ms", 1717243200000), ("us", 1717243200000000)],
)
def test_times_can_be_numbers_of_a_unit(unit: str, number: float) -> None:
    assert_frame_equal(read(as_json(valid_time=number), time_unit=unit).rows, expected(1.5))
    mixed = read(as_json(valid_time=number), as_json(load_mw=2), time_unit=unit)
    assert mixed.rows["valid_time"].to_list() == [NOON, NOON]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        pytest.param(b"", "empty_message", id="empty"),
        pytest.param(b"{", "not_json", id="cut off"),
        pytest.param(b"\xff\x00\xfe", "not_json", id="bytes"),
        pytest.param(b"[" * 100_000, "not_json", id="too deep"),
        pytest.param(b'{"load_mw": ' + b"9" * 5_000 + b"}", "not_json", id="too many digits"),
        pytest.param(b"17", "not_an_object", id="a number"),
        pytest.param(as_json(series_id=None), "missing_series_id", id="no series"),
        pytest.param(as_json(load_mw=None), "missing_load", id="no load"),
        pytest.param(as_json(load_mw="much"), "load_not_a_number", id="a word"),
        pytest.param(as_json(load_mw=True), "load_not_a_number", id="a truth"),
        pytest.param(as_json(load_mw=[1]), "load_not_a_number", id="a list"),
        pytest.param(as_json(load_mw=float("nan")), "load_not_finite", id="nan"),
        pytest.param(as_json().replace(b"1.5", b"1" + b"0" * 400), "load_not_finite", id="a huge number"),
        pytest.param(as_json(valid_time="noon"), "unparsable_time", id="no time"),
        pytest.param(as_json(valid_time=1717243200), "unparsable_time", id="a number without a unit"),
        pytest.param(as_json(valid_time="2024-06-01T12:00"), "time_without_offset", id="no offset"),
        pytest.param(b" " * 2_000_000, "message_too_large", id="too large"),
    ],
)
def test_a_malformed_message_costs_only_itself(content: bytes, reason: str) -> None:
    alone, among = read(content), read(as_json(), content, as_json(load_mw=2.5))
    assert reasons(alone) == reasons(among) == [reason]
    assert alone.rows.is_empty()
    assert among.rows["load_mw"].to_list() == [1.5, 2.5]
    assert among.dead["source"].to_list() == ["place1"]
    assert among.dead["raw"].str.len_chars().max() <= 1_000


def test_half_a_surrogate_pair_is_spelled_out() -> None:
    parsed = read(as_json(series_id="\ud800"), as_json(valid_time="\udfff"))
    assert parsed.rows["series_id"].to_list() == [r"\ud800"]
    assert parsed.dead["raw"].to_list() == [r"a,\udfff,1.5"]


def test_a_dead_row_tells_its_place_in_the_message() -> None:
    lines = as_json() + b"\n{oops\n7\n" + as_json(load_mw="much")
    parsed = read(as_json(), lines)
    found = parsed.dead.sort("row").select("source", "row", "reason", "raw").rows()
    assert found == [
        ("place1", 2, "not_json", "{oops"),
        ("place1", 3, "not_an_object", "7"),
        ("place1", 4, "load_not_a_number", "a,2024-06-01T12:00:00Z,much"),
    ]
    assert parsed.rows.height == 2


@pytest.mark.parametrize("number", [1e300, -1e300, 10**30, float("nan"), float("inf")])
def test_an_impossible_number_is_no_time(number: float) -> None:
    parsed = read(as_json(valid_time=number), as_json(valid_time=1717243200), time_unit="s")
    assert reasons(parsed) == ["unparsable_time"]
    assert_frame_equal(parsed.rows, expected(1.5))


def test_a_message_with_too_many_rows_is_refused_whole() -> None:
    content = b"[" + b"0," * MAX_ROWS + b"0]"
    assert reasons(read(content)) == ["too_many_rows"]


@pytest.mark.parametrize(
    "framed",
    [
        pytest.param(lambda _: datum(ROW), id="bare"),
        pytest.param(lambda _: b"\x00\x00\x00\x00\x2a" + datum(ROW), id="confluent"),
        pytest.param(lambda schema: b"\xc3\x01" + schema.fingerprint + datum(ROW), id="single object"),
        pytest.param(lambda _: container(ROW), id="container"),
    ],
)
def test_avro_comes_bare_or_in_any_common_frame(tmp_path: Path, framed: Callable[[AvroSchema], bytes]) -> None:
    schema = avro_schema(tmp_path)
    parsed = read(framed(schema), encoding="avro", schema=schema)
    assert_frame_equal(parsed.rows, expected(1.5))
    assert parsed.dead.is_empty()


def test_the_fingerprint_is_the_one_of_the_specification(tmp_path: Path) -> None:
    assert avro_schema(tmp_path, "null").fingerprint == bytes.fromhex("8a8f25cce724dd63")


def test_avro_arrays_and_decimals_are_read(tmp_path: Path) -> None:
    fields = [*RECORD["fields"][:2], {"name": "load_mw", "type": "bytes"}]
    fields[2]["type"] = {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 3}
    array = {"type": "array", "items": {**RECORD, "name": "Precise", "fields": fields}}
    rows = [{**ROW, "valid_time": NOON + hour * timedelta(hours=1), "load_mw": Decimal("1.250")} for hour in range(2)]
    parsed = read(datum(rows, array), encoding="avro", schema=avro_schema(tmp_path, array))
    assert_frame_equal(parsed.rows, expected(1.25, 1.25))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        pytest.param(b"\xc3\x01" + bytes(8) + datum(ROW), "unknown_schema", id="another schema"),
        pytest.param(datum(ROW) + b"x", "not_avro", id="more behind it"),
        pytest.param(datum(ROW)[:-1], "not_avro", id="cut off"),
        pytest.param(container(ROW)[:-9], "not_avro", id="a cut-off container"),
        pytest.param(container(ROW, codec="deflate"), "compressed_avro", id="a compressed container"),
        pytest.param(
            container(
                {"x": [1]},
                schema={
                    "type": "record",
                    "name": "X",
                    "fields": [{"name": "x", "type": {"type": "array", "items": "int"}}],
                },
            ),
            "nested_avro",
            id="a container with arrays",
        ),
        pytest.param(datum({**ROW, "series_id": None}), "missing_series_id", id="no series"),
        pytest.param(b"\x00\x00", "not_avro", id="zeros"),
    ],
)
def test_avro_that_cannot_be_read_costs_only_itself(tmp_path: Path, content: bytes, reason: str) -> None:
    parsed = read(datum(ROW), content, encoding="avro", schema=avro_schema(tmp_path))
    assert reasons(parsed) == [reason]
    assert parsed.rows.height == 1


def test_avro_without_a_schema_file_is_read_from_containers_only() -> None:
    parsed = read(container(ROW), datum(ROW), encoding="avro")
    assert parsed.rows.height == 1
    assert reasons(parsed) == ["no_schema"]


@pytest.mark.parametrize(
    "text", ["{", '{"type": "recrod"}', '{"type": "record"}', '{"type": "enum", "name": "E"}', "5"]
)
def test_a_file_that_is_no_schema_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "broken.avsc").write_text(text)
    with pytest.raises(UsageError, match=r"broken\.avsc"):
        AvroSchema.load(tmp_path / "broken.avsc")


@pytest.mark.parametrize(
    "columns",
    [
        pytest.param({"valid_time": [NOON], "load_mw": [1.5]}, id="plain"),
        pytest.param(
            {"valid_time": pa.array([NOON], pa.timestamp("ns", "America/New_York"))}, id="nanoseconds elsewhere"
        ),
        pytest.param({"valid_time": pa.array([NOON], pa.timestamp("s", "UTC"))}, id="seconds"),
        pytest.param({"valid_time": ["2024-06-01T12:00:00Z"]}, id="text"),
        pytest.param({"valid_time": [1717243200000]}, id="numbers"),
        pytest.param({"series_id": pa.array(["a"]).dictionary_encode()}, id="dictionary"),
        pytest.param({"load_mw": pa.array([Decimal("1.5")])}, id="decimal"),
        pytest.param({"load_mw": pa.array([1.5], pa.float32())}, id="single precision"),
        pytest.param({"load_mw": ["1.5"]}, id="load as text"),
    ],
)
def test_arrow_columns_may_have_any_fitting_type(columns: dict[str, Any]) -> None:
    parsed = read(stream(arrow(other=[[1]], **columns)), encoding="arrow", time_unit="ms")
    assert_frame_equal(parsed.rows, expected(1.5))
    assert parsed.dead.is_empty()


def test_arrow_messages_of_different_types_stay_in_order() -> None:
    times = [NOON + hour * timedelta(hours=1) for hour in range(3)]
    tables = [arrow(valid_time=[time], load_mw=[load]) for time, load in zip(times, (1.5, 2, 3.5), strict=True)]
    parsed = read(*map(stream, tables), encoding="arrow")
    assert_frame_equal(parsed.rows, expected(1.5, 2.0, 3.5))


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        pytest.param(pa.table({"x": [1, 2]}), "no_known_column", id="other columns"),
        pytest.param(pa.table({"series_id": ["a"]}), "unparsable_time", id="no time"),
        pytest.param(arrow(load_mw=[[1.0]]), "load_not_a_number", id="list"),
        pytest.param(arrow(load_mw=pa.array([None], pa.float64())), "missing_load", id="null"),
        pytest.param(arrow(valid_time=pa.array([2**62], pa.timestamp("s", "UTC"))), "unparsable_time", id="never"),
        pytest.param(arrow(valid_time=[date(2024, 6, 1)]), "time_without_offset", id="day"),
        pytest.param(pa.table({"series_id": ["a"] * (MAX_ROWS + 1)}), "too_many_rows", id="too many"),
    ],
)
def test_arrow_rows_that_cannot_be_read_are_counted(table: Any, reason: str) -> None:
    parsed = read(stream(table), encoding="arrow", max_bytes=10_000_000)
    assert reasons(parsed) == [reason]
    assert parsed.rows.is_empty()


@pytest.mark.parametrize("codec", ["lz4", "zstd"])
@pytest.mark.parametrize(
    "table",
    [
        pytest.param(arrow(), id="plain"),
        pytest.param(arrow(series_id=pa.array(["a" * 9_000]).dictionary_encode()), id="dictionary"),
        pytest.param(pa.table({"load_mw": pa.array([0.0] * 3 * MAX_ROWS)}), id="a bomb"),
    ],
)
def test_a_compressed_arrow_stream_is_refused_before_it_is_unpacked(table: Any, codec: str) -> None:
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression=codec)) as writer:
        writer.write_table(table)
    parsed = read(sink.getvalue(), encoding="arrow")
    assert reasons(parsed) == ["compressed_arrow"]
    assert parsed.rows.is_empty()


def test_an_arrow_stream_is_read_no_further_than_to_its_limit() -> None:
    sink = io.BytesIO()
    table = pa.table({"x": pa.nulls(MAX_ROWS // 2)})
    with pa.ipc.new_stream(sink, table.schema) as writer:
        for _ in range(3):
            writer.write_table(table)
    assert reasons(read(sink.getvalue(), encoding="arrow")) == ["too_many_rows"]


VALID = {
    "json": as_json(),
    "avro": container(ROW),
    "arrow": stream(arrow()),
}


@settings(max_examples=400, deadline=None)
@given(encoding=st.sampled_from(sorted(VALID)), data=st.data())
def test_damaged_bytes_are_readings_or_dead_letters_and_nothing_else(encoding: str, data: st.DataObject) -> None:
    content = bytearray(VALID[encoding])
    places = st.tuples(st.integers(0, len(content) - 1), st.integers(0, 255))
    for place, byte in data.draw(st.lists(places, min_size=1, max_size=4)):
        content[place] = byte
    end = data.draw(st.integers(0, len(content)))
    damaged = bytes(content[:end]) if data.draw(st.booleans()) else bytes(content)

    parsed = read(VALID[encoding], damaged, VALID[encoding], encoding=encoding, time_unit="ms")

    assert parsed.rows.filter(pl.col("load_mw") == 1.5, series_id="a", valid_time=NOON).height >= 2
    assert set(parsed.dead["source"]) <= {"place1"}


@settings(max_examples=100, deadline=None)
@given(content=st.binary(max_size=200), encoding=st.sampled_from(sorted(VALID)))
def test_random_bytes_are_counted(content: bytes, encoding: str) -> None:
    parsed = read(content, encoding=encoding)
    is_empty_list = encoding == "json" and content.strip() == b"[]"
    assert parsed.rows.height + parsed.dead.height >= (0 if is_empty_list else 1)


def test_many_messages_are_parsed_as_one_block() -> None:
    contents = [as_json(series_id=f"m{number}", load_mw=number / 7) for number in range(5_000)]
    parsed = read(*contents)
    assert parsed.rows["series_id"].to_list() == [f"m{number}" for number in range(5_000)]
    assert parsed.rows["load_mw"].to_list() == [number / 7 for number in range(5_000)]
