"""ENTSO-E through the real library against a server of our own: nothing lost or doubled, and no key in any message."""

import sys
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from pathlib import Path

import pytest
from polars.testing import assert_frame_equal
from support.web import Answer, Asked, in_turn, serve, url_of_nobody

from gridcast.domain.errors import GridcastError, UsageError
from gridcast.ingestion import raw
from gridcast.ingestion.connectors.entsoe_load import EntsoeLoad, load_readings
from gridcast.ingestion.connectors.http_client import HttpClient, HttpRules
from gridcast.workflows.readings.ingest import append

pytest.importorskip("entsoe")
pd = pytest.importorskip("pandas")

FIXTURES = Path(__file__).parents[2] / "fixtures" / "entsoe"
ONE_DAY = (FIXTURES / "load_one_day.xml").read_text()
NO_DATA = (FIXTURES / "no_data.xml").read_bytes()
XML = {"Content-Type": "text/xml"}
NOW = datetime(2024, 5, 10, 9, 20, tzinfo=UTC)
FIRST = datetime(2024, 5, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    return lambda url: monkeypatch.setattr("entsoe.entsoe.URL", url)


def source(
    *, now: datetime = NOW, areas: dict[str, str] | None = None, start: date = date(2024, 5, 1), **rules: object
) -> EntsoeLoad:
    return EntsoeLoad(
        areas=areas or {"FR": "france"},
        start=start,
        days_per_request=2,
        api_key="s3cret",
        http=HttpClient(HttpRules(**{"attempts": 3, **rules}), sleep=lambda _: None),  # type: ignore[arg-type]
        clock=lambda: now,
    )


def platform(until: datetime = NOW) -> Callable[[Asked], Answer]:
    """Answers like the platform: the load is the hour of the day in GW, published an hour after its interval."""
    head, _, rest = ONE_DAY.partition("    <Period>")
    tail = rest.partition("    </Period>\n")[2]

    def answer(asked: Asked) -> Answer:
        start = datetime.strptime(asked.params["periodStart"], "%Y%m%d%H%M").replace(tzinfo=UTC)
        end = datetime.strptime(asked.params["periodEnd"], "%Y%m%d%H%M").replace(tzinfo=UTC)
        last = min(end, until.replace(minute=0) - HOUR)
        if last <= start:
            return Answer(NO_DATA, headers=XML)
        hours = [start + HOUR * number for number in range(int((last - start) / HOUR))]
        points = "".join(
            f"<Point><position>{number}</position><quantity>{hour.hour * 1000}</quantity></Point>"
            for number, hour in enumerate(hours, start=1)
        )
        period = (
            f"<Period><timeInterval><start>{start:%Y-%m-%dT%H:%MZ}</start><end>{last:%Y-%m-%dT%H:%MZ}</end>"
            f"</timeInterval><resolution>PT60M</resolution>{points}</Period>"
        )
        return Answer((head + period + tail).encode(), headers=XML)

    return answer


def test_a_recorded_day_becomes_readings(at: Callable[[str], None]) -> None:
    with serve(in_turn(Answer(ONE_DAY.encode(), headers=XML), Answer(NO_DATA, headers=XML))) as web:
        at(web.url)
        first = next(source(now=FIRST + 25 * HOUR).batches(None))
    assert first.readings.height == 24
    assert first.readings.row(0) == ("france", FIRST, 42310.0, FIRST + HOUR)
    assert web.asked[0].params == {
        "documentType": "A65",
        "processType": "A16",
        "outBiddingZone_Domain": "10YFR-RTE------C",
        "out_Domain": "10YFR-RTE------C",
        "securityToken": "s3cret",
        "periodStart": "202405010000",
        "periodEnd": "202405020100",
    }


def test_loads_are_fetched_up_to_now_and_then_only_what_is_new(at: Callable[[str], None], tmp_path: Path) -> None:
    with serve(platform()) as web:
        at(web.url)
        first = append(tmp_path, source=source(), name="tso", now=NOW)
        again = append(tmp_path, source=source(), name="tso", now=NOW)
    with serve(platform(NOW + 5 * HOUR)) as web:
        at(web.url)
        later = append(tmp_path, source=source(now=NOW + 5 * HOUR), name="tso", now=NOW + 5 * HOUR)
    assert (first.readings, again.readings, later.readings) == (9 * 24 + 8, 0, 5)
    assert not raw.read_readings(tmp_path).select("series_id", "valid_time").is_duplicated().any()


def test_each_area_has_its_own_progress(at: Callable[[str], None]) -> None:
    with serve(platform()) as web:
        at(web.url)
        *_, last = source(start=date(2024, 5, 8)).batches(None)
        batches = list(source(areas={"FR": "france", "BE": "belgium"}, start=date(2024, 5, 8)).batches(last.position))
    assert {each.readings["series_id"][0] for each in batches} == {"belgium"}


def test_days_that_were_never_published_are_passed_over(at: Callable[[str], None]) -> None:
    with serve(in_turn(Answer(NO_DATA, headers=XML))) as web:
        at(web.url)
        *_, last = source().batches(None)
        assert list(source().batches(last.position)) == []
    assert last.position == '{"FR": "2024-05-07T09:00:00+00:00"}'


@pytest.mark.parametrize("kept", [0, 1, 3])
def test_an_interrupted_run_that_is_taken_up_again_loses_and_doubles_nothing(
    at: Callable[[str], None], tmp_path: Path, kept: int
) -> None:
    with serve(platform()) as web:
        at(web.url)
        append(tmp_path / "whole", source=source(), name="tso", now=NOW)
        for batch in islice(source().batches(None), kept):
            raw.append_batch(tmp_path / "cut", source="tso", batch=batch)
        append(tmp_path / "cut", source=source(), name="tso", now=NOW)
    assert_frame_equal(raw.read_readings(tmp_path / "cut"), raw.read_readings(tmp_path / "whole"))


@pytest.mark.parametrize(
    "hiccup",
    [
        Answer(status=500),
        Answer(status=429),
        Answer(ONE_DAY.encode()[:900], headers=XML, claimed=len(ONE_DAY)),
    ],
    ids=["500", "429", "body breaks off"],
)
def test_a_server_that_recovers_is_asked_again(at: Callable[[str], None], hiccup: Answer) -> None:
    with serve(in_turn(hiccup, Answer(ONE_DAY.encode(), headers=XML))) as web:
        at(web.url)
        assert next(source().batches(None)).readings.height == 24
    assert len(web.asked) == 2


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (Answer(status=503), "answer 503 after 3 attempts"),
        (Answer(status=401), "answer 401; expected data. Check the key"),
        (Answer(b"<html>busy</html>", headers=XML), "the answer could not be read"),
        (Answer(ONE_DAY.replace("<quantity>42310<", "<quantity>lots<").encode()), "the answer could not be read"),
        (Answer(ONE_DAY.replace("quantity>", "amount>").encode()), "the answer could not be read"),
    ],
)
def test_failures_are_told_without_the_key(at: Callable[[str], None], answer: Answer, told: str) -> None:
    with serve(in_turn(answer)) as web:
        at(web.url)
        with pytest.raises(GridcastError, match=rf"ENTSO-E, load of FR from 2024-05-01 00:00Z: {told}") as error:
            next(source().batches(None))
    assert "s3cret" not in str(error.value)


def test_a_dead_server_is_told_without_the_key(at: Callable[[str], None]) -> None:
    at(url_of_nobody())
    with pytest.raises(GridcastError, match=r"no whole answer \(ConnectionError\) after 3 attempts") as error:
        next(source().batches(None))
    assert "s3cret" not in str(error.value)


def test_an_unknown_area_is_refused_with_the_closest() -> None:
    with pytest.raises(UsageError, match=r"no area 'DE_LUX'; .* Did you mean DE_LU"):
        next(source(areas={"DE_LUX": "germany"}).batches(None))


def test_without_the_library_it_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "entsoe", None)
    with pytest.raises(UsageError, match=r"entsoe is not installed .* pip install 'gridcast\[entsoe\]'"):
        next(source().batches(None))


def test_a_load_that_is_missing_is_kept_with_its_reason() -> None:
    index = pd.date_range("2024-05-01 02:00", periods=4, freq="15min", tz="Europe/Paris")
    frame = pd.DataFrame({"Actual Load": [1.0, float("nan"), 3.0, 4.0]}, index=index)
    parsed = load_readings(frame, series_id="france", start=FIRST, end=FIRST + HOUR)
    quarter = timedelta(minutes=15)
    assert parsed.rows.row(1) == ("france", FIRST + 2 * quarter, 3.0, FIRST + 3 * quarter)
    assert parsed.dead.rows() == [("entsoe", 2, "missing_load", "france,2024-05-01 00:15:00.000000+00:00")]


def test_a_table_of_another_kind_is_refused() -> None:
    frame = pd.DataFrame({"Load": [1.0]}, index=pd.date_range("2024-05-01", periods=1, tz="UTC"))
    with pytest.raises(GridcastError, match=r"has the columns \['Load'\]; expected 'Actual Load'"):
        load_readings(frame, series_id="france", start=FIRST, end=NOW)


def test_a_day_ahead_forecast_counts_as_known_when_it_had_to_be_published(at: Callable[[str], None]) -> None:
    with serve(in_turn(Answer(ONE_DAY.encode(), headers=XML))) as web:
        at(web.url)
        found = source().forecasts(FIRST, FIRST + 24 * HOUR)
    assert web.asked[0].params["processType"] == "A01"
    rows = found.rows
    assert rows.row(0) == ("france", FIRST, 42310.0, FIRST - 16 * HOUR)
    assert rows["available_at"].to_list() == [FIRST - 16 * HOUR] * 22 + [FIRST + 8 * HOUR] * 2


def test_a_forecast_that_is_there_sooner_is_known_since_then(at: Callable[[str], None]) -> None:
    now = FIRST - 18 * HOUR
    with serve(in_turn(Answer(ONE_DAY.encode(), headers=XML))) as web:
        at(web.url)
        found = source(now=now).forecasts(FIRST, FIRST + 24 * HOUR)
    assert set(found.rows["available_at"]) == {now}


def test_no_forecast_is_no_row(at: Callable[[str], None]) -> None:
    with serve(in_turn(Answer(NO_DATA, headers=XML))) as web:
        at(web.url)
        found = source().forecasts(FIRST, FIRST + 24 * HOUR)
    assert found.rows.is_empty()
    assert found.dead.is_empty()
