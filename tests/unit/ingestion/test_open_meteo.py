"""Open-Meteo: recorded answers, honest times of availability, and fetching that goes on where it ended."""

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from support.web import Answer, Asked, Web, serve

from gridcast.domain.errors import GridcastError
from gridcast.domain.tables import WEATHER
from gridcast.ingestion import raw
from gridcast.ingestion.connectors.http_client import HttpClient, HttpRules
from gridcast.ingestion.connectors.open_meteo import OpenMeteo, Station
from gridcast.ingestion.connectors.open_meteo_answer import read_answer
from gridcast.workflows.readings.ingest import append

FIXTURES = Path(__file__).parents[2] / "fixtures" / "open_meteo"
LONDON, PARIS = Station("london", 51.5, -0.12), Station("paris", 48.85, 2.35)
NOW = datetime(2024, 5, 10, 9, 20, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def fixture(name: str) -> bytes:
    return (FIXTURES / name).read_bytes()


def read(body: bytes, *station_ids: str, block: str = "hourly", variable: str = "temperature_2m") -> pl.DataFrame:
    rows, _ = read_answer(
        body, url="http://x", station_ids=station_ids, block=block, variable=variable, null_is_dead=True
    )
    return rows


def source(
    web: Web, *, now: datetime = NOW, stations: tuple[Station, ...] = (LONDON, PARIS), **given: object
) -> OpenMeteo:
    settings = {
        "history_from": date(2024, 5, 1),
        "history_delay": 5 * DAY,
        "days_per_request": 2,
        "forecast_days": 2,
        "previous_runs": 0,
        "quarter_hourly": False,
        **given,
    }
    return OpenMeteo(
        stations=stations,
        history_url=f"{web.url}/archive",
        forecast_url=f"{web.url}/forecast",
        previous_runs_url=f"{web.url}/previous",
        http=HttpClient(HttpRules(attempts=3), sleep=lambda _: None),
        clock=lambda: now,
        **settings,  # type: ignore[arg-type]
    )


def weather_service(now: datetime = NOW) -> Callable[[Asked], Answer]:
    """Answers like Open-Meteo: the temperature is latitude + hour of the day, in a forecast half a degree more."""

    def answer(asked: Asked) -> Answer:
        block = "minutely_15" if "minutely_15" in asked.params else "hourly"
        variable = asked.params[block]
        if asked.path == "/forecast":
            first = now.date() - timedelta(days=int(asked.params["past_days"]))
            days = int(asked.params["past_days"]) + int(asked.params["forecast_days"])
        else:
            first = date.fromisoformat(asked.params["start_date"])
            days = (date.fromisoformat(asked.params["end_date"]) - first).days + 1
        step = timedelta(minutes=15) if block == "minutely_15" else HOUR
        start = datetime.combine(first, datetime.min.time())
        times = [start + step * number for number in range(int(days * DAY / step))]
        shift = 0.0 if asked.path == "/archive" else 0.5
        places = [
            {
                "utc_offset_seconds": 0,
                f"{block}_units": {"time": "iso8601", variable: "°C"},
                block: {
                    "time": [f"{time:%Y-%m-%dT%H:%M}" for time in times],
                    variable: [float(latitude) + time.hour + shift for time in times],
                },
            }
            for latitude in asked.params["latitude"].split(",")
        ]
        return Answer(json.dumps(places if len(places) > 1 else places[0]).encode())

    return answer


def test_a_recorded_answer_about_two_places_is_read() -> None:
    rows, dead = read_answer(
        fixture("archive_two_places.json"),
        url="http://x",
        station_ids=["london", "paris"],
        block="hourly",
        variable="temperature_2m",
        null_is_dead=True,
    )
    assert rows.schema == WEATHER
    assert rows.group_by("station_id", maintain_order=True).len().rows() == [("london", 24), ("paris", 23)]
    first = datetime(2024, 5, 1, tzinfo=UTC)
    assert rows.row(0) == ("london", first, 9.2, first + HOUR)
    assert dead.rows() == [("paris", 6, "missing_temperature", "paris,2024-05-01T05:00+00:00,")]


def test_fahrenheit_becomes_celsius() -> None:
    assert read(fixture("forecast_fahrenheit.json"), "new_york")["temperature_c"][0] == pytest.approx((57.2 - 32) / 1.8)


def test_quarter_hours_are_a_quarter_of_an_hour_long() -> None:
    body = fixture("forecast_one_place_quarter_hourly.json")
    rows = read(body, "london", block="minutely_15")
    assert rows["valid_time"].diff().drop_nulls().unique().to_list() == [timedelta(minutes=15)]
    assert (rows["available_at"] - rows["valid_time"]).unique().to_list() == [timedelta(minutes=15)]


def test_local_times_are_turned_into_utc() -> None:
    body = json.loads(fixture("forecast_fahrenheit.json")) | {"utc_offset_seconds": -14400}
    assert read(json.dumps(body).encode(), "new_york")["valid_time"][0] == datetime(2024, 5, 1, 4, tzinfo=UTC)


def without(name: str, *, inside: str | None = None) -> bytes:
    body = json.loads(fixture("forecast_fahrenheit.json"))
    del (body[inside] if inside else body)[name]
    return json.dumps(body).encode()


@pytest.mark.parametrize(
    ("body", "told"),
    [
        pytest.param(fixture("refusal.json"), r"refusal 'Latitude must be in range of -90 to 90°", id="unknown place"),
        pytest.param(b"<html>busy</html>", r"not JSON .* starts with b'<html>busy", id="a web page"),
        pytest.param(fixture("forecast_fahrenheit.json")[:300], "the answer is not JSON", id="cut off"),
        pytest.param(b"[" * 100_000, "the answer is not JSON", id="endlessly nested"),
        pytest.param(b"[]", "has 0 places; expected 1", id="no place"),
        pytest.param(fixture("archive_two_places.json"), "has 2 places; expected 1", id="another number of places"),
        pytest.param(b"3", "no 'utc_offset_seconds'", id="a number"),
        pytest.param(without("utc_offset_seconds"), "no 'utc_offset_seconds' that is a int", id="no offset"),
        pytest.param(without("hourly"), "no 'hourly' that is a dict", id="no values"),
        pytest.param(
            without("temperature_2m", inside="hourly"), "no 'temperature_2m' that is a list", id="no variable"
        ),
        pytest.param(without("time", inside="hourly"), "no 'time' that is a list", id="no times"),
        pytest.param(
            fixture("forecast_fahrenheit.json").replace("°F".encode(), b"K"), "temperatures in 'K'", id="unit"
        ),
        pytest.param(
            fixture("forecast_fahrenheit.json").replace(b'"2024-05-01T00:00", ', b""),
            "23 times and 24 temperatures",
            id="a time missing",
        ),
    ],
)
def test_an_answer_that_is_not_the_documented_one_is_one_clear_error(body: bytes, told: str) -> None:
    with pytest.raises(GridcastError, match=told):
        read(body, "somewhere")


def test_values_that_are_no_temperature_are_kept_with_a_reason() -> None:
    body = json.loads(fixture("forecast_fahrenheit.json"))
    body["hourly"]["temperature_2m"][:3] = ["warm", float("nan"), True]
    body["hourly"]["time"][3] = "noon"
    rows, dead = read_answer(
        json.dumps(body).encode(),
        url="http://x",
        station_ids=["a"],
        block="hourly",
        variable="temperature_2m",
        null_is_dead=True,
    )
    assert rows.height == 20
    assert sorted(dead["reason"]) == [
        "temperature_not_a_number",
        "temperature_not_a_number",
        "temperature_not_finite",
        "unparsable_time",
    ]


def test_history_comes_in_pieces_and_the_forecast_closes_the_gap() -> None:
    with serve(weather_service()) as web:
        batches = list(source(web).batches(None))
    spans = [
        (batch.weather["valid_time"].min(), batch.weather["valid_time"].max(), batch.weather["station_id"].n_unique())
        for batch in batches
    ]
    assert spans == [
        (datetime(2024, 5, 1, tzinfo=UTC), datetime(2024, 5, 2, 23, tzinfo=UTC), 2),
        (datetime(2024, 5, 3, tzinfo=UTC), datetime(2024, 5, 4, 23, tzinfo=UTC), 2),
        (datetime(2024, 5, 5, tzinfo=UTC), datetime(2024, 5, 11, 23, tzinfo=UTC), 2),
    ]
    assert web.asked[0].params == {
        "latitude": "51.5,48.85",
        "longitude": "-0.12,2.35",
        "timezone": "GMT",
        "hourly": "temperature_2m",
        "start_date": "2024-05-01",
        "end_date": "2024-05-02",
    }


def test_the_past_is_available_at_its_end_and_a_forecast_when_it_was_fetched() -> None:
    with serve(weather_service()) as web:
        weather = pl.concat([batch.weather for batch in source(web).batches(None)])
    end = pl.col("valid_time") + HOUR
    assert weather.filter(end <= NOW, pl.col("available_at") != end).is_empty()
    assert weather.filter(end > NOW)["available_at"].unique().to_list() == [NOW]


def test_each_later_run_adds_a_vintage_and_what_has_become_past_since() -> None:
    later = NOW + 24 * HOUR
    with serve(weather_service()) as web:
        *_, last = source(web).batches(None)
    with serve(weather_service(later)) as web:
        history, forecast = source(web, now=later).batches(last.position)
    assert history.weather["valid_time"].dt.date().unique().to_list() == [date(2024, 5, 5)]
    assert history.weather.filter(pl.col("available_at") != pl.col("valid_time") + HOUR).is_empty()
    assert forecast.weather["valid_time"].min() == datetime(2024, 5, 10, 9, tzinfo=UTC)
    assert forecast.weather["available_at"].unique().to_list() == [later]


def test_history_that_is_fetched_in_operation_is_available_when_it_was_fetched() -> None:
    later = NOW + 10 * DAY
    with serve(weather_service()) as web:
        *_, last = source(web).batches(None)
    with serve(weather_service(later)) as web:
        history = pl.concat([batch.weather for batch in source(web, now=later).batches(last.position)][:-1])
    after = history.filter(pl.col("valid_time") >= datetime(2024, 5, 11, tzinfo=UTC))
    assert after["available_at"].unique().to_list() == [later]


def test_a_second_run_at_the_same_moment_fetches_no_history_and_doubles_no_past_value() -> None:
    with serve(weather_service()) as web:
        *_, last = source(web).batches(None)
        (again,) = source(web).batches(last.position)
    assert again.weather.filter(pl.col("valid_time") + HOUR <= NOW).is_empty()


def test_a_place_added_later_gets_its_own_history() -> None:
    with serve(weather_service()) as web:
        *_, last = source(web, stations=(LONDON,)).batches(None)
        batches = list(source(web).batches(last.position))
    assert [batch.weather["station_id"].unique().sort().to_list() for batch in batches] == [
        ["paris"],
        ["paris"],
        ["london", "paris"],
    ]


def test_earlier_forecasts_are_vintages_of_their_days() -> None:
    with serve(weather_service()) as web:
        batch = next(source(web, previous_runs=2, stations=(LONDON,)).batches(None))
    at = datetime(2024, 5, 2, 12, tzinfo=UTC)
    assert batch.weather.filter(pl.col("valid_time") == at).rows() == [
        ("london", at, 63.5, at + HOUR),
        ("london", at, 64.0, at - 18 * HOUR),
        ("london", at, 64.0, at - 42 * HOUR),
    ]


def test_a_recorded_earlier_forecast_without_a_value_is_left_out() -> None:
    rows, dead = read_answer(
        fixture("previous_run.json"),
        url="http://x",
        station_ids=["london"],
        block="hourly",
        variable="temperature_2m_previous_day1",
        null_is_dead=False,
    )
    assert (rows.height, dead.height) == (23, 0)


def test_only_a_forecast_is_fetched_when_no_history_is_asked_for() -> None:
    with serve(weather_service()) as web:
        (batch,) = source(web, history_from=None, quarter_hourly=True).batches(None)
    assert [each.path for each in web.asked] == ["/forecast"]
    assert batch.weather["valid_time"].min() == datetime(2024, 5, 10, tzinfo=UTC)


def test_a_key_is_sent_along() -> None:
    with serve(weather_service()) as web:
        next(source(web, api_key="s3cret").batches(None))
    assert web.asked[0].params["apikey"] == "s3cret"


@pytest.mark.parametrize("kept", [0, 1, 2])
def test_an_interrupted_run_that_is_taken_up_again_loses_and_doubles_nothing(tmp_path: Path, kept: int) -> None:
    with serve(weather_service()) as web:
        append(tmp_path / "whole", source=source(web), name="weather", now=NOW)
        for batch in islice(source(web).batches(None), kept):
            raw.append_batch(tmp_path / "cut", source="weather", batch=batch)
        append(tmp_path / "cut", source=source(web), name="weather", now=NOW)
    order = ["station_id", "valid_time", "available_at"]
    assert_frame_equal(raw.read_weather(tmp_path / "cut").sort(order), raw.read_weather(tmp_path / "whole").sort(order))


def test_a_server_that_dies_half_way_leaves_what_came_before_and_is_taken_up_again(tmp_path: Path) -> None:
    healthy, dead = weather_service(), {"at": 2}

    def dies(asked: Asked) -> Answer:
        dead["at"] -= 1
        return healthy(asked) if dead["at"] >= 0 else Answer(status=500)

    with (
        serve(dies) as web,
        pytest.raises(GridcastError, match=r"answer 500 after 3 attempts.* 192 rows that came before are kept\."),
    ):
        append(tmp_path, source=source(web), name="weather", now=NOW)
    with serve(healthy) as web:
        append(tmp_path, source=source(web), name="weather", now=NOW)
    weather = raw.read_weather(tmp_path)
    assert weather.height == 2 * 11 * 24
    assert weather.select("station_id", "valid_time", "available_at").is_duplicated().sum() == 0


@pytest.mark.parametrize("position", ["", "{}", "[]", '{"first_asked": 3, "history": {}, "recent": null}'])
def test_a_position_that_it_did_not_write_is_refused(position: str) -> None:
    with serve(weather_service()) as web, pytest.raises(GridcastError, match="of Open-Meteo cannot be read"):
        next(source(web).batches(position))
