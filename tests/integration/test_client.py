"""The client against the real service: frames as typed as in the store, refusals in the service's own words."""

import io
import itertools
import re
import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from support.board import HORIZON, HOUR, Board, built_in, copy_of, serve
from support.services import free_ports
from support.web import url_of_nobody
from support.workers import run_folder

from gridcast.client import ApiError, Client
from gridcast.client.documents import ACCURACY, HAPPENED, PEAK_DAYS, SERIES, WHAT_IF, Landed, NewForecast, OneOff
from gridcast.domain.errors import GridcastError, UsageError
from gridcast.domain.roles import Role
from gridcast.domain.tables import CLEAN_READINGS, FORECASTS, OVERRIDES

ISSUED = datetime(2024, 4, 30, tzinfo=UTC)
EVENING = {"start": ISSUED + 18 * HOUR, "end": ISSUED + 21 * HOUR}


@pytest.fixture
def board(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> Iterator[Board]:
    with serve(copy_of(built_in(run_folder(tmp_path_factory)), tmp_path)) as found:
        yield found


def client(board: Board, role: Role = Role.OPERATOR) -> Client:
    return Client(board.url, key=board.keys[role])


def stored(board: Board, issue_time: datetime = ISSUED) -> pl.DataFrame:
    return board.store.forecasts(start=issue_time, end=issue_time + timedelta(microseconds=1))


def test_series_come_with_their_parents_and_how_fresh_they_are(board: Board) -> None:
    with client(board, Role.VIEWER) as api:
        found, zones = api.series(), api.series(level="zone")
    assert found.schema == SERIES
    assert found["series_id"].to_list() == ["zone_n", "zone_s", "system"]
    assert found["parents"].to_list() == [[{"parent_id": "system", "since": None, "until": None}]] * 2 + [[]]
    assert set(found["newest_issue_time"]) == {ISSUED}
    assert zones.height == 2


def test_the_newest_forecast_is_the_one_in_the_store(board: Board) -> None:
    with client(board) as api:
        found = api.forecast("zone_s")
    assert found.schema == FORECASTS
    assert_frame_equal(found, stored(board).filter(series_id="zone_s"))


def test_earlier_forecasts_are_found_by_issue_time_by_what_was_known_and_by_lead(board: Board) -> None:
    span = {"start": ISSUED, "end": ISSUED + 12 * HOUR}
    with client(board) as api:
        before = api.forecast("system", issued_at=ISSUED - 12 * HOUR)
        known = api.forecast("system", as_of=ISSUED - 13 * HOUR)
        freshest = api.forecast("system", lead_at_least=24 * HOUR, **span)
        part = api.forecast("system", **span)
    assert_frame_equal(before, stored(board, ISSUED - 12 * HOUR).filter(series_id="system"))
    assert known["issue_time"].unique().to_list() == [ISSUED - 24 * HOUR]
    assert part.height == freshest.height == 12
    assert (freshest["valid_time"] - freshest["issue_time"]).min() == 24 * HOUR


def test_readings_are_those_of_the_store(board: Board) -> None:
    span = {"start": ISSUED - 6 * HOUR, "end": ISSUED}
    with client(board) as api:
        found = api.readings("zone_n", **span)
    assert found.schema == CLEAN_READINGS
    assert_frame_equal(found, board.store.readings(**span).filter(series_id="zone_n"))
    assert found["quality"].to_list() == ["good"] * 3 + ["estimated"] * 3


def test_peaks_accuracy_models_and_events_are_typed(board: Board) -> None:
    with client(board) as api:
        peaks, accuracy, models, events = api.peaks("system"), api.accuracy(), api.models(), api.events(kind="promoted")
        nothing = api.events(limit=0)
        assert api.events(as_of=ISSUED - HOUR).is_empty()
    assert (peaks.schema, accuracy.schema, events.schema) == (PEAK_DAYS, ACCURACY, HAPPENED)
    assert peaks["date"].to_list() == [date(2024, 5, 1)]
    assert set(accuracy["lead_bucket"]) == {"0–6 h", "6–12 h", "12–24 h", "24–48 h"}
    (model,) = models
    assert (model.version, "champion" in model.aliases) == ("1", True)
    assert model.created_at.tzinfo is not None
    assert events["message"].to_list() == ["model 1 by test"]
    assert nothing.is_empty()


def test_pushed_readings_land_once_however_often_they_are_sent(board: Board) -> None:
    times = [ISSUED + HOUR * step for step in range(3)]
    rows = pl.DataFrame({"series_id": ["zone_n"] * 3, "valid_time": times, "load_mw": [61.5, None, 63.0], "note": ""})
    with client(board, Role.ENGINEER) as api:
        first = api.push_readings(rows, idempotency_key="evening push")
        again = api.push_readings(rows, idempotency_key="evening push")
        without = api.push_readings(rows)
    assert (first, again, without) == (Landed(3, 3, 0), Landed(3, 3, 0), Landed(3, 0, 3))
    landed = board.store.landed_after(after_offset=0, up_to_offset=board.store.log_head())
    assert landed.select("series_id", "valid_time", "load_mw").rows() == [
        ("zone_n", *each) for each in zip(times, [61.5, None, 63.0], strict=True)
    ]


def test_rows_that_are_refused_are_told_by_number_and_none_lands(board: Board) -> None:
    rows = pl.DataFrame({"series_id": ["zone_n", "no_such"], "valid_time": [ISSUED] * 2, "load_mw": [1.0, 2.0]})
    with (
        client(board, Role.ENGINEER) as api,
        pytest.raises(ApiError, match="answer 422: 1 rows cannot be used") as caught,
    ):
        api.push_readings(rows)
    assert caught.value.problem["rows"] == [{"row": 2, "reason": "unknown_series"}]
    assert board.store.log_head() == 0


def test_readings_without_their_columns_are_not_even_sent(board: Board) -> None:
    with client(board) as api, pytest.raises(UsageError, match="readings without load_mw, valid_time"):
        api.push_readings(pl.DataFrame({"series_id": ["zone_n"]}))


def test_what_if_changes_the_forecast_and_keeps_nothing(board: Board) -> None:
    hours = pl.DataFrame({"valid_time": [ISSUED + HOUR * step for step in range(48)], "temperature_c": 2.0})
    with client(board) as api:
        shifted = api.what_if("zone_n", temperature_shift_c=4.0)
        given = api.what_if("zone_n", temperatures=hours)
        holiday = api.what_if("zone_n", event=OneOff(date(2024, 4, 30), date(2024, 4, 30), "final"))
        issued = api.forecast("zone_n")
    for each in (shifted, given, holiday):
        assert each.schema == WHAT_IF
        assert each["issued_p50"].to_list() == issued["p50"].to_list()
        assert (each["p50"] - each["issued_p50"] - each["change_mw"]).abs().max() == pytest.approx(0, abs=1e-9)
    assert shifted["change_mw"].abs().max() != given["change_mw"].abs().max()
    assert board.store.newest_issue_time() == ISSUED


def test_an_override_counts_until_it_is_withdrawn(board: Board) -> None:
    with client(board) as api:
        made = api.add_override("system", **EVENING, operation="set", value=180.0, reason="Final at home")
        assert (made.author, made.withdrawn_at, made.expires_at) == ("operator on duty", None, EVENING["end"])
        in_force = api.overrides(series_id="system", active=True)
        assert in_force.schema == OVERRIDES
        assert in_force["override_id"].to_list() == [made.override_id]
        operator = api.forecast("system", layer="operator")
        assert operator["p50"].to_list() == [180.0] * 3
        assert api.forecast("system").height == 48
        assert api.forecast("system", layer="model")["layer"].unique().to_list() == ["model"]
        gone = api.withdraw_override(made.override_id)
        assert gone.withdrawn_by == "operator on duty"
        assert api.overrides(active=True).is_empty()
        assert api.overrides()["withdrawn_by"].to_list() == ["operator on duty"]
        assert api.forecast("system", layer="operator").is_empty()


def test_an_exported_table_is_that_of_the_store(board: Board) -> None:
    with client(board) as api:
        found = api.export("forecasts", start=ISSUED, end=ISSUED + HOUR, series_id="zone_n")
        scores = api.export("scores", start=ISSUED - timedelta(days=7), end=ISSUED)
    assert_frame_equal(found, stored(board).filter(series_id="zone_n"), check_row_order=False)
    assert scores.height > 0


def test_new_forecasts_are_told_as_they_are_issued(board: Board) -> None:
    with client(board) as api:
        told = api.new_forecasts()
        assert next(told) == NewForecast(ISSUED, "1")
        timer = threading.Timer(0.3, board.issue_again)
        timer.start()
        assert next(told) == NewForecast(ISSUED + HOUR, "1")
        timer.join()
        told.close()


def test_an_override_is_no_new_forecast(board: Board) -> None:
    with client(board) as api:
        told = api.new_forecasts()
        next(told)
        api.add_override("system", **EVENING, operation="add", value=1.0, reason="Heat wave")
        timer = threading.Timer(1, board.issue_again)
        timer.start()
        assert next(told).issue_time == ISSUED + HOUR
        timer.join()
        told.close()


def test_listening_goes_on_when_the_service_comes_back(
    tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> None:
    place = copy_of(built_in(run_folder(tmp_path_factory)), tmp_path)
    (port,) = free_ports(1)
    with serve(place, port=port) as first:
        api = client(first)
        told = api.new_forecasts()
        assert next(told).issue_time == ISSUED
    with serve(place, port=port) as second:
        second.issue_again()
        assert next(told).issue_time == ISSUED + HOUR
        told.close()
        api.close()


@pytest.mark.parametrize(
    ("role", "status", "told"),
    [
        pytest.param(Role.VIEWER, 403, "the role is viewer; expected operator or higher", id="not enough of a role"),
        pytest.param(Role.OPERATOR, 404, "series 'no_such' is not known; expected one of GET /v1/series", id="unknown"),
    ],
)
def test_refusals_are_told_in_the_words_of_the_service(board: Board, role: Role, status: int, told: str) -> None:
    with client(board, role) as api, pytest.raises(ApiError, match=told) as caught:
        api.add_override("no_such", **EVENING, operation="add", value=1.0, reason="Heat wave")
    assert caught.value.status == status
    assert caught.value.problem["status"] == status
    assert isinstance(caught.value, GridcastError)


def test_a_wrong_key_is_told_without_the_key(board: Board) -> None:
    secret = "gck_" + "x" * 40
    with Client(board.url, key=secret) as api, pytest.raises(ApiError, match=r"answer 401.*GRIDCAST_API_KEY") as caught:
        api.series()
    assert secret not in str(caught.value)
    assert secret not in repr(api)


@pytest.mark.parametrize("name", ["a b", "ümlaut", "system?layer=model", "system#", "%2e%2e", "系统"])
def test_a_name_is_asked_for_as_it_is(board: Board, name: str) -> None:
    with client(board) as api, pytest.raises(ApiError, match=re.escape(f"series {name!r} is not known")):
        api.forecast(name)


@pytest.mark.parametrize("name", ["", ".", "..", "../status", "system/peaks"])
def test_a_name_that_would_lead_elsewhere_is_not_asked_for(board: Board, name: str) -> None:
    with client(board) as api, pytest.raises(UsageError, match="has no address in the API"):
        api.forecast(name)


def test_the_key_comes_from_the_environment_or_its_file(
    board: Board, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRIDCAST_API_KEY", board.keys[Role.VIEWER])
    with Client(board.url) as api:
        assert api.series().height == 3
    monkeypatch.delenv("GRIDCAST_API_KEY")
    file = tmp_path / "key"
    file.write_text(f"{board.keys[Role.VIEWER]}\n")
    monkeypatch.setenv("GRIDCAST_API_KEY_FILE", str(file))
    with Client(f"{board.url}/v1/") as api:
        assert api.series().height == 3


def test_times_without_an_offset_are_refused(board: Board) -> None:
    with client(board) as api, pytest.raises(UsageError, match="has no UTC offset"):
        api.readings("system", start=ISSUED.replace(tzinfo=None))


def test_pages_are_followed_to_the_end_or_to_the_limit(board: Board) -> None:
    for number in range(1203):
        board.store.add_event(at=ISSUED + timedelta(seconds=number), kind="note", message=str(number))
    with client(board) as api:
        some = api.events(kind="note", limit=1100)
        everything = api.events(limit=5000)
    assert some["message"].to_list() == [str(number) for number in reversed(range(103, 1203))]
    assert everything.height == 1204


def test_a_service_that_is_away_is_tried_again_and_then_told() -> None:
    url = url_of_nobody()
    with (
        Client(url, key="gck_x", attempts=2) as api,
        pytest.raises(ApiError, match=r"no answer .* expected a gridcast"),
    ):
        api.series()


def test_frames_can_be_pushed_from_arrow_readers_of_other_libraries(board: Board) -> None:
    rows = pl.DataFrame({"series_id": ["zone_s"], "valid_time": [ISSUED], "load_mw": [55.0]})
    content = io.BytesIO()
    rows.write_ipc_stream(content)
    with client(board, Role.ENGINEER) as api:
        assert api.push_readings(pl.read_ipc_stream(content.getvalue())).landed == 1


def test_every_horizon_of_the_forecast_is_there_once(board: Board) -> None:
    with client(board) as api:
        leads = (api.forecast("system")["valid_time"] - ISSUED).to_list()
    assert leads == list(itertools.accumulate([HOUR] * (HORIZON // HOUR - 1), initial=timedelta(0)))
