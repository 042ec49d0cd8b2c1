"""System operators through the real library: NYISO against a server of our own, the tables of others as documented."""

import sys
import threading
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from polars.testing import assert_frame_equal
from support.web import Answer, Asked, in_turn, serve, url_of_nobody

from gridcast.domain.errors import GridcastError, UsageError
from gridcast.ingestion import raw
from gridcast.ingestion.connectors.gridstatus_load import GridstatusLoad, forecast_readings, load_readings
from gridcast.ingestion.connectors.http_client import HttpClient, HttpRules
from gridcast.workflows.readings.ingest import append

pytest.importorskip("gridstatus")
pd = pytest.importorskip("pandas")

CSV = (Path(__file__).parents[2] / "fixtures" / "gridstatus" / "nyiso_load.csv").read_bytes()
FIRST = datetime(2024, 5, 1, 4, tzinfo=UTC)
NOW = FIRST + timedelta(days=3, minutes=22)
FIVE = timedelta(minutes=5)


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    return lambda url: monkeypatch.setattr("gridstatus.nyiso.OASIS_POSTINGS_URL", url)


def source(
    *, now: datetime = NOW, columns: dict[str, str] | None = None, iso: str = "nyiso", **rules: object
) -> GridstatusLoad:
    return GridstatusLoad(
        iso=iso,
        columns=columns or {"Load": "nyiso"},
        start=date(2024, 5, 1),
        interval=FIVE,
        http=HttpClient(HttpRules(**{"attempts": 3, **rules}), sleep=lambda _: None),  # type: ignore[arg-type]
        clock=lambda: now,
    )


def operator(until: datetime = NOW, *, west_until: datetime | None = None) -> Callable[[Asked], Answer]:
    """Answers like NYISO: two zones whose load is the hour of the day, published as soon as it is measured."""
    published = {"CAPITL": until, "WEST": west_until or until}

    def answer(asked: Asked) -> Answer:
        day = datetime.strptime(asked.path[-12:-4], "%Y%m%d").replace(tzinfo=UTC)
        lines = ['"Time Stamp","Time Zone","Name","PTID","Load"']
        for step in range(288):
            local = day + step * FIVE
            ended = local + timedelta(hours=4) + FIVE
            lines += [
                f'"{local:%m/%d/%Y %H:%M:%S}","EDT","{zone}",1,{local.hour}'
                for zone, last in published.items()
                if ended <= last
            ]
        return Answer("\n".join(lines).encode()) if len(lines) > 1 else Answer(status=404)

    return answer


def test_a_recorded_file_becomes_readings_of_the_zones_asked_for(at: Callable[[str], None]) -> None:
    with serve(in_turn(Answer(CSV))) as web:
        at(web.url)
        batch = next(source(columns={"CAPITL": "capital", "DUNWOD": "dunwoodie"}).batches(None))
    assert [each.path for each in web.asked] == ["/RT_ACTUAL_LOAD/CSV/2024/05/01/pal-20240501.csv"]
    assert batch.readings.filter(series_id="capital").rows() == [
        ("capital", FIRST + number * FIVE, 1210.4 - 10 * number, FIRST + (number + 1) * FIVE) for number in range(4)
    ]
    assert batch.readings.filter(series_id="dunwoodie").height == 3
    assert batch.dead.rows() == [("gridstatus", 3, "missing_load", "dunwoodie,2024-05-01 04:10:00.000000+00:00")]


def test_loads_are_fetched_up_to_now_and_then_only_what_is_new(at: Callable[[str], None], tmp_path: Path) -> None:
    later = NOW + timedelta(hours=1)
    with serve(operator()) as web:
        at(web.url)
        first = append(tmp_path, source=source(), name="iso", now=NOW)
        again = append(tmp_path, source=source(), name="iso", now=NOW)
    with serve(operator(later)) as web:
        at(web.url)
        third = append(tmp_path, source=source(now=later), name="iso", now=later)
    assert (first.readings, again.readings, third.readings) == (3 * 288 + 4, 0, 12)
    readings = raw.read_readings(tmp_path)
    assert not readings.select("series_id", "valid_time").is_duplicated().any()
    assert readings["load_mw"][0:13].to_list() == [0.0] * 12 + [2.0]


def test_a_zone_that_publishes_later_is_asked_for_until_it_has(at: Callable[[str], None], tmp_path: Path) -> None:
    zones = {"CAPITL": "capital", "WEST": "west"}
    evening, next_evening = NOW + timedelta(hours=10), NOW + timedelta(hours=34)
    behind, runs = evening - timedelta(hours=5), []
    for now, west_until in ((evening, behind), (evening, behind), (next_evening, next_evening)):
        with serve(operator(now, west_until=west_until)) as web:
            at(web.url)
            runs.append(append(tmp_path, source=source(now=now, columns=zones), name="iso", now=now).readings)
    per_zone = 3 * 288 + 124
    assert runs == [2 * per_zone - 60, 0, 2 * 288 + 60]
    readings = raw.read_readings(tmp_path)
    assert not readings.select("series_id", "valid_time").is_duplicated().any()
    assert dict(readings["series_id"].value_counts().rows()) == dict.fromkeys(zones.values(), per_zone + 288)


def test_a_position_of_all_series_together_is_taken_up(at: Callable[[str], None]) -> None:
    with serve(operator()) as web:
        at(web.url)
        (batch,) = source().batches('{"nyiso": "2024-05-04T04:00:00+00:00"}')
    assert batch.readings["valid_time"].min() == FIRST + timedelta(days=3)
    assert batch.readings.height == 4


@pytest.mark.parametrize("kept", [0, 1, 2])
def test_an_interrupted_run_that_is_taken_up_again_loses_and_doubles_nothing(
    at: Callable[[str], None], tmp_path: Path, kept: int
) -> None:
    with serve(operator()) as web:
        at(web.url)
        append(tmp_path / "whole", source=source(), name="iso", now=NOW)
        for _, batch in zip(range(kept), source().batches(None), strict=False):
            raw.append_batch(tmp_path / "cut", source="iso", batch=batch)
        append(tmp_path / "cut", source=source(), name="iso", now=NOW)
    assert_frame_equal(raw.read_readings(tmp_path / "cut"), raw.read_readings(tmp_path / "whole"))


@pytest.mark.parametrize("hiccup", [Answer(status=500), Answer(status=429), Answer(CSV[:90], claimed=len(CSV))])
def test_a_server_that_recovers_is_asked_again(at: Callable[[str], None], hiccup: Answer) -> None:
    with serve(in_turn(hiccup, Answer(CSV))) as web:
        at(web.url)
        assert next(source().batches(None)).readings.height == 4
    assert len(web.asked) == 2


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (Answer(status=503), "answer 503 after 3 attempts"),
        (Answer(status=403), "answer 403; expected data"),
        (Answer(b""), "the answer could not be read"),
        (Answer(b"<html>busy</html>"), "the answer could not be read"),
        (Answer(CSV.replace(b"05/01/2024", b"someday")), "the answer could not be read"),
        (Answer(CSV.replace(b'"Load"', b'"Amount"')), "the answer could not be read"),
    ],
)
def test_failures_are_told_clearly(at: Callable[[str], None], answer: Answer, told: str) -> None:
    with serve(in_turn(answer)) as web:
        at(web.url)
        with pytest.raises(GridcastError, match=rf"gridstatus, load of nyiso on 2024-05-01: {told}"):
            next(source().batches(None))


def test_a_dead_server_is_tried_as_often_as_allowed(at: Callable[[str], None]) -> None:
    at(url_of_nobody())
    with pytest.raises(GridcastError, match=r"no whole answer \(ConnectionError\) after 3 attempts"):
        next(source().batches(None))


def test_a_silent_server_is_given_up_although_the_library_waits_for_ever(at: Callable[[str], None]) -> None:
    end = threading.Event()

    def silent(_: Asked) -> Answer:
        end.wait(10)
        return Answer(status=404)

    with serve(silent) as web:
        at(web.url)
        with pytest.raises(GridcastError, match=r"no answer in 0:00:00\.050000 after 2 attempts"):
            next(source(attempts=2, timeout=timedelta(milliseconds=50)).batches(None))
        end.set()


def test_what_an_operator_does_not_give_is_told() -> None:
    with pytest.raises(GridcastError, match=r"gridstatus, load of miso on 2024-05-01: .*not supported"):
        next(source(iso="miso").batches(None))


def test_without_the_library_it_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gridstatus", None)
    with pytest.raises(UsageError, match=r"gridstatus is not installed .* pip install 'gridcast\[iso\]'"):
        next(source().batches(None))


def test_a_table_with_interval_ends_uses_them() -> None:
    start = pd.date_range("2024-05-01", periods=2, freq="h", tz="US/Pacific")
    frame = pd.DataFrame(
        {"Time": start, "Interval Start": start, "Interval End": start + pd.Timedelta("1h"), "Load": [21000.0, 20500.0]}
    )
    first = datetime(2024, 5, 1, 7, tzinfo=UTC)
    hour = timedelta(hours=1)
    rows, dead = load_readings(
        frame, columns={"Load": "caiso"}, interval=FIVE, starts={"caiso": first}, end=first + timedelta(days=1)
    )
    assert rows.rows() == [("caiso", first, 21000.0, first + hour), ("caiso", first + hour, 20500.0, first + 2 * hour)]
    assert dead.is_empty()


def test_a_column_that_is_not_there_is_told() -> None:
    frame = pd.DataFrame({"Time": pd.date_range("2024-05-01", periods=1, tz="UTC"), "Load": [1.0]})
    with pytest.raises(GridcastError, match=r"no column 'WEST' but \['Time', 'Load'\]; expected it\. Set columns"):
        load_readings(frame, columns={"WEST": "west"}, interval=FIVE, starts={"west": FIRST}, end=NOW)


def test_a_forecast_of_the_operator_is_known_since_it_was_issued(at: Callable[[str], None]) -> None:
    day = datetime(2026, 11, 5, 5, tzinfo=UTC)
    hours = [f'"11/05/2026 {hour:02}:00",1,{1000 + hour}' for hour in range(24)]
    csv = "\n".join(['"Time Stamp","Capitl","NYISO"', *hours]).encode()
    with serve(in_turn(Answer(csv, headers={"Last-Modified": "Wed, 04 Nov 2026 12:30:00 GMT"}))) as web:
        at(web.url)
        found = source(now=day).forecasts(day, day + timedelta(hours=24))
    assert "isolf" in web.asked[0].path
    assert found.rows.height == 24
    assert found.rows.row(3) == ("nyiso", day + timedelta(hours=3), 1003.0, day - timedelta(hours=16.5))
    assert found.dead.is_empty()


def test_a_table_of_forecasts_without_what_it_takes_is_refused_with_its_columns() -> None:
    frame = pd.DataFrame({"Interval Start": pd.to_datetime(["2024-05-01T00:00Z"]), "Load Forecast": [1.0]})
    with pytest.raises(GridcastError, match=r"\['Interval Start', 'Load Forecast'\]; expected .*'Publish Time'"):
        forecast_readings(frame, series_id="a", start=FIRST, end=NOW)


def test_a_source_of_zones_has_no_forecast() -> None:
    with pytest.raises(UsageError, match="2 columns of nyiso; expected one"):
        source(columns={"CAPITL": "capital", "DUNWOD": "dunwoodie"}).forecasts(FIRST, NOW)
