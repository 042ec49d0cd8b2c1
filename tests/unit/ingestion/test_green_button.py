"""Green Button files: units, directions and addresses are understood, what is no load is kept with a reason."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from gridcast.domain.errors import GridcastError
from gridcast.domain.tables import READINGS
from gridcast.ingestion import raw
from gridcast.ingestion.connectors.green_button import Flow, GreenButton, parse_feed
from gridcast.ingestion.connectors.green_button_feed import read_feed
from gridcast.ingestion.tabular.columns import Parsed
from gridcast.workflows.readings.ingest import append

FIXTURES = Path(__file__).parents[2] / "fixtures" / "green_button"
SOLAR = FIXTURES / "solar_roof.xml"
START = datetime(2024, 3, 4, tzinfo=UTC)
HOUR = timedelta(hours=1)
NOW = datetime(2024, 6, 1, tzinfo=UTC)


def parse(file: Path, *, flow: Flow = "net", series: dict[str, str] | None = None) -> Parsed:
    return parse_feed(read_feed(file), source=file.name, series=series or {}, flow=flow)


def source(path: Path, *, max_megabytes: int = 10) -> GreenButton:
    return GreenButton(path=str(path), series={}, flow="net", max_megabytes=max_megabytes)


def feed(
    values: Sequence[object] = (1000, 2000),
    *,
    duration: str = "<duration>3600</duration>",
    start: int = int(START.timestamp()),
    reading_type: str = "<uom>72</uom><powerOfTenMultiplier>0</powerOfTenMultiplier>",
    quality: int | None = None,
    order: str = "utb",
) -> str:
    """A small feed without any addresses, of a (u)sage point, its reading (t)ype and one interval (b)lock."""
    mark = "" if quality is None else f"<ReadingQuality><quality>{quality}</quality></ReadingQuality>"
    readings = "".join(
        f"<IntervalReading>{mark}<timePeriod>{duration}<start>{start + 3600 * number}</start></timePeriod>"
        f"<value>{value}</value></IntervalReading>"
        for number, value in enumerate(values)
    )
    contents = {
        "u": "<UsagePoint/></content></entry><entry><content><MeterReading/>",
        "t": f"<ReadingType>{reading_type}</ReadingType>",
        "b": f"<IntervalBlock>{readings}</IntervalBlock>",
    }
    entries = "".join(f"<entry><content>{contents[each]}</content></entry>" for each in order)
    return f'<?xml version="1.0"?><feed xmlns="http://www.w3.org/2005/Atom">{entries}</feed>'


def loads(tmp_path: Path, text: str) -> list[float]:
    (tmp_path / "meter.xml").write_text(text)
    return parse(tmp_path / "meter.xml").rows["load_mw"].to_list()


def reasons(tmp_path: Path, text: str) -> list[str]:
    (tmp_path / "meter.xml").write_text(text)
    parsed = parse(tmp_path / "meter.xml")
    assert parsed.rows.is_empty()
    return parsed.dead["reason"].to_list()


def test_a_solar_roof_is_delivered_minus_received_energy() -> None:
    rows, dead = parse(SOLAR)
    assert rows.schema == READINGS
    assert rows.rows() == [
        ("77-01", START, pytest.approx(0.000974), START + HOUR),
        ("77-01", START + HOUR, pytest.approx(0.0008), START + 2 * HOUR),
        ("77-01", START + 2 * HOUR, pytest.approx(-0.0005), START + 3 * HOUR),
        ("77-01", START + 5 * HOUR, pytest.approx(0.001), START + 6 * HOUR),
    ]
    assert dead.rows() == [
        ("solar_roof.xml", 4, "load_not_a_number", "77-01,1709521200,3600,n/a"),
        ("solar_roof.xml", 5, "quality_projected", "77-01,1709524800,3600,1250"),
        ("solar_roof.xml", 10, "missing_counterflow", "77-01,1709521200,3600,20"),
        ("solar_roof.xml", 11, "missing_counterflow", "77-01,1709524800,3600,30"),
    ]


@pytest.mark.parametrize(
    ("flow", "watts"), [("forward", [974, 884, 783, 1100]), ("reverse", [0, -84, -1283, -20, -30, -100])]
)
def test_one_direction_can_be_taken_alone(flow: Flow, watts: list[int]) -> None:
    assert parse(SOLAR, flow=flow).rows["load_mw"].to_list() == pytest.approx([each / 1e6 for each in watts])


def test_a_usage_point_can_be_given_the_name_of_a_series() -> None:
    assert parse(SOLAR, series={"77-01": "mill_lane"}).rows["series_id"].unique().to_list() == ["mill_lane"]


@pytest.mark.parametrize(
    ("reading_type", "expected"),
    [
        ("<uom>72</uom>", 0.001),
        ("<uom>72</uom><powerOfTenMultiplier>3</powerOfTenMultiplier>", 1.0),
        ("<uom>72</uom><powerOfTenMultiplier>-3</powerOfTenMultiplier>", 1e-6),
        ("<uom>38</uom><powerOfTenMultiplier>3</powerOfTenMultiplier>", 1.0),
        ("<uom>72</uom><flowDirection>19</flowDirection>", -0.001),
        ("<uom>72</uom><flowDirection>4</flowDirection>", 0.001),
    ],
)
def test_units_and_directions(tmp_path: Path, reading_type: str, expected: float) -> None:
    assert loads(tmp_path, feed([1000], reading_type=reading_type)) == pytest.approx([expected])


def test_energy_in_a_quarter_of_an_hour_is_four_times_the_power(tmp_path: Path) -> None:
    assert loads(tmp_path, feed([250], duration="<duration>900</duration>")) == pytest.approx([0.001])


def test_a_reading_without_a_duration_has_that_of_its_type(tmp_path: Path) -> None:
    short = "<uom>72</uom><intervalLength>900</intervalLength>"
    assert loads(tmp_path, feed([250], duration="", reading_type=short)) == pytest.approx([0.001])


@pytest.mark.parametrize("order", ["utb", "btu", "tbu"])
def test_the_entries_may_stand_in_any_order(tmp_path: Path, order: str) -> None:
    assert loads(tmp_path, feed(order=order)) == pytest.approx([0.001, 0.002])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (feed(["lots"]), "load_not_a_number"),
        (feed(["inf"]), "load_not_finite"),
        (feed([""]), "missing_load"),
        (feed([1], quality=10), "quality_questionable"),
        (feed([1], quality=12), "quality_projected"),
        (feed([1], duration="<duration>86400</duration>"), "interval_too_long"),
        (feed([1], duration="<duration>0</duration>"), "interval_too_long"),
        (feed([1], duration="", reading_type="<uom>72</uom>"), "missing_duration"),
        (feed([1], start=-5), "unparsable_time"),
        (feed([1], start=10**17), "unparsable_time"),
        (feed([1], order="ub"), "unknown_reading_type"),
        (feed([1], order="tb"), "unknown_meter_reading"),
        (feed([1], reading_type="<uom>169</uom>"), "unit_not_power_or_energy"),
        (feed([1], reading_type="<uom>72</uom><commodity>7</commodity>"), "not_electricity"),
        (feed([1], reading_type="<uom>72</uom><accumulationBehaviour>3</accumulationBehaviour>"), "cumulative_reading"),
        (feed([1], reading_type="<uom>72</uom><flowDirection>20</flowDirection>"), "unknown_flow_direction"),
        (feed([1], reading_type="<uom>72</uom><powerOfTenMultiplier>k</powerOfTenMultiplier>"), "unknown_multiplier"),
        (feed([1], reading_type="<uom>72</uom><powerOfTenMultiplier>99</powerOfTenMultiplier>"), "unknown_multiplier"),
        pytest.param(
            feed([1], reading_type=f"<uom>72</uom><powerOfTenMultiplier>{'9' * 5_000}</powerOfTenMultiplier>"),
            "unknown_multiplier",
            id="a multiplier of 5,000 digits",
        ),
    ],
)
def test_what_is_no_load_is_kept_with_its_reason(tmp_path: Path, text: str, reason: str) -> None:
    assert reasons(tmp_path, text) == [reason]


@given(st.lists(st.one_of(st.integers(-(10**15), 10**15), st.text("0123456789-.eE x", max_size=8)), max_size=30))
def test_every_reading_is_either_a_load_or_dead(tmp_path_factory: pytest.TempPathFactory, values: list[object]) -> None:
    file = tmp_path_factory.getbasetemp() / "any.xml"
    file.write_text(feed([1, *values]))
    rows, dead = parse(file)
    assert rows.height + dead.height == 1 + len(values)
    assert rows["load_mw"].is_finite().all()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        pytest.param(SOLAR.read_bytes()[:5000], "not a whole XML file", id="cut off"),
        pytest.param(b"", "not a whole XML file", id="empty"),
        pytest.param(b"series_id,valid_time\n", "not a whole XML file", id="a CSV file"),
        pytest.param(b"<feed/>", "no IntervalReading in it", id="nothing in it"),
        pytest.param(b"\xff\xfe\x00", "not a whole XML file", id="no text"),
        pytest.param(
            b'<!DOCTYPE feed [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]><feed>&b;</feed>',
            "not a whole XML file",
            id="entities that grow",
        ),
        pytest.param(
            b'<!DOCTYPE feed [<!ENTITY a SYSTEM "file:///etc/passwd">]><feed>&a;</feed>',
            "not a whole XML file",
            id="entities from other files",
        ),
    ],
)
def test_a_damaged_file_is_told_of_after_the_others_were_read(tmp_path: Path, content: bytes, told: str) -> None:
    (tmp_path / "a_damaged.xml").write_bytes(content)
    (tmp_path / "b_whole.xml").write_text(feed())
    with pytest.raises(GridcastError, match=rf"a_damaged\.xml: {told}.* 2 rows that came before are kept\."):
        append(tmp_path / "raw", source=source(tmp_path), name="meters", now=NOW)
    assert raw.read_readings(tmp_path / "raw").height == 2


def test_a_file_that_is_too_large_is_not_opened(tmp_path: Path) -> None:
    (tmp_path / "huge.xml").write_bytes(b" " * 2_000_001)
    with pytest.raises(GridcastError, match=r"huge\.xml: 2 MB; expected at most 1 MB\. Split it, or raise max_mega"):
        next(source(tmp_path, max_megabytes=1).batches(None))


@pytest.mark.parametrize("name", ["nowhere", "nowhere/*.xml", "."])
def test_a_path_without_a_file_is_an_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(GridcastError, match=r"no \.xml file there"):
        next(source(tmp_path / name).batches(None))


def test_a_second_run_reads_only_what_is_new_or_changed(tmp_path: Path) -> None:
    meter, other = tmp_path / "meter.xml", tmp_path / "other.xml"
    meter.write_text(feed())
    first = append(tmp_path / "raw", source=source(tmp_path), name="meters", now=NOW)
    other.write_text(feed([5]))
    second = append(tmp_path / "raw", source=source(tmp_path), name="meters", now=NOW)
    meter.write_text(feed([7, 8, 9]))
    third = append(tmp_path / "raw", source=source(tmp_path), name="meters", now=NOW)
    assert (first.readings, second.readings, third.readings) == (2, 1, 3)
    assert append(tmp_path / "raw", source=source(tmp_path), name="meters", now=NOW).readings == 0


@pytest.mark.parametrize("kept", [0, 1, 2, 3])
def test_an_interrupted_run_that_is_taken_up_again_loses_and_doubles_nothing(tmp_path: Path, kept: int) -> None:
    for name in "abc":
        (tmp_path / f"{name}.xml").write_text(feed([ord(name)]))
    for _, batch in zip(range(kept), source(tmp_path).batches(None), strict=False):
        raw.append_batch(tmp_path / "raw", source="meters", batch=batch)
    append(tmp_path / "raw", source=source(tmp_path), name="meters", now=NOW)
    expected = pl.concat([parse(tmp_path / f"{name}.xml").rows for name in "abc"])
    assert_frame_equal(raw.read_readings(tmp_path / "raw"), expected)


def test_a_position_that_it_did_not_write_is_refused(tmp_path: Path) -> None:
    with pytest.raises(GridcastError, match="of Green Button cannot be read"):
        next(source(tmp_path).batches("3"))
