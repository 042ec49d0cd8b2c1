"""What the API answers, on real forecasts in a real store of each kind."""

import io
from collections.abc import Iterator
from datetime import datetime, timedelta

import polars as pl
import pyarrow as pa
import pytest
from support.plant import Plant
from support.postgres import running_postgres
from support.served import HOUR, Served, served

from gridcast.domain.quantiles import QUANTILE_COLUMNS
from gridcast.domain.roles import Role
from gridcast.domain.tables import READINGS, WEATHER


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def here(request: pytest.FixtureRequest, plant: Plant, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("service")
    if request.param == "sqlite":
        with served(plant, folder / "data", folder / "gridcast.db") as found:
            yield found
        return
    with running_postgres() as server, served(plant, folder / "data", server.new_database()) as found:
        yield found


def text(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def loads(answer: dict[str, list[dict[str, float]]]) -> list[float]:
    return [each["p50"] for each in answer["points"]]


def test_the_newest_forecast_comes_with_its_quantiles_and_is_sent_once(here: Served) -> None:
    with here.client(Role.VIEWER) as client:
        first = client.get("/v1/forecasts/system")
        again = client.get("/v1/forecasts/system", headers={"If-None-Match": first.headers["ETag"]})
    answer = first.json()
    assert first.status_code == 200
    assert answer["issue_time"] == text(here.newest)
    assert answer["model_version"] == here.plant.model.version
    assert len(answer["points"]) == 12
    for point in answer["points"]:
        quantiles = [point[name] for name in QUANTILE_COLUMNS]
        assert quantiles == sorted(quantiles)
    assert again.status_code == 304
    assert not again.content


def test_a_forecast_is_asked_for_as_it_was_issued(here: Served) -> None:
    at = here.newest - 5 * HOUR
    with here.client() as client:
        then = client.get("/v1/forecasts/zone_n", params={"issued_at": text(at + 0.9 * HOUR)}).json()
        never = client.get("/v1/forecasts/zone_n", params={"issued_at": text(at - 90 * HOUR)})
    kept = here.store.forecasts(start=at, end=at + HOUR).filter(series_id="zone_n")
    assert then["issue_time"] == text(at)
    assert loads(then) == kept["p50"].to_list()
    assert never.status_code == 404
    assert never.headers["Content-Type"] == "application/problem+json"


def test_the_freshest_forecast_at_a_lead_is_the_one_that_was_known_so_long_before(here: Served) -> None:
    start, end = here.newest - 10 * HOUR, here.newest
    span = {"start": text(start), "end": text(end)}
    with here.client() as client:
        ahead = client.get("/v1/forecasts/system", params={"lead_at_least": "PT6H", **span}).json()
        earlier = client.get(
            "/v1/forecasts/system", params={"lead_at_least": "PT6H", "as_of": text(start - 10 * HOUR), **span}
        ).json()
        without = client.get("/v1/forecasts/system", params={"lead_at_least": "PT6H"})
    assert [each["issue_time"] for each in ahead["points"]] == [
        text(start + hour * HOUR - 6 * HOUR) for hour in range(10)
    ]
    assert {each["issue_time"] for each in earlier["points"]} == {text(start - 10 * HOUR)}
    assert len(earlier["points"]) == 2
    assert without.status_code == 422


def test_series_come_with_their_parents_and_in_pages(here: Served) -> None:
    with here.client() as client:
        first = client.get("/v1/series", params={"limit": 2}).json()
        rest = client.get("/v1/series", params={"limit": 2, "cursor": first["next"]}).json()
        zones = client.get("/v1/series", params={"level": "zone"}).json()
        one = client.get("/v1/series/zone_n").json()
        unknown = client.get("/v1/series/' OR 1=1 --")
    assert [each["series_id"] for each in first["items"] + rest["items"]] == ["zone_n", "zone_s", "system"]
    assert rest["next"] is None
    assert [each["level"] for each in zones["items"]] == ["zone", "zone"]
    assert one["parents"] == [{"parent_id": "system", "since": None, "until": None}]
    assert one["newest_issue_time"] == text(here.newest)
    assert one["newest_reading"] == text(here.newest - HOUR)
    assert unknown.status_code == 404


def test_readings_are_those_of_the_store_and_as_they_were_known(here: Served) -> None:
    span = {"start": text(here.newest - 3 * HOUR), "end": text(here.newest)}
    with here.client() as client:
        now = client.get("/v1/readings/zone_n", params=span).json()
        before = client.get("/v1/readings/zone_n", params={**span, "as_of": text(here.newest - 40 * HOUR)}).json()
        too_long = client.get("/v1/readings/zone_n", params={**span, "start": text(here.newest - 40 * 24 * HOUR)})
    kept = here.store.readings(start=here.newest - 3 * HOUR, end=here.newest).filter(series_id="zone_n")
    assert [each["load_mw"] for each in now["points"]] == kept["load_mw"].to_list()
    assert before["points"] == []
    assert too_long.status_code == 422
    assert "at most 31 days" in too_long.json()["detail"]


def test_status_tells_who_is_in_charge_and_how_fresh_all_is(here: Served) -> None:
    with here.client() as client:
        status, me = client.get("/v1/status").json(), client.get("/v1/me").json()
        models, one = client.get("/v1/models").json()["items"], client.get("/v1/models/champion").json()
        promotions = client.get("/v1/promotions").json()["items"]
        nobody = client.get("/v1/models/99")
    assert me == {"name": "the admin", "role": "admin"}
    assert status["model_version"] == models[0]["version"] == one["version"] == here.plant.model.version
    assert status["newest_reading"] == text(here.newest - HOUR)
    assert status["quality"]["light"] == "green"
    assert status["late_series"] == []
    assert status["model_since"] == promotions[-1]["at"]
    assert nobody.status_code == 404


def test_accuracy_and_quality_are_summed_over_a_time(here: Served) -> None:
    issue = here.newest - 25 * HOUR
    rows = here.store.forecasts(start=issue, end=issue + HOUR).filter(series_id="system")
    scores = pl.DataFrame(
        {
            "series_id": "system",
            "issue_time": [issue, issue + HOUR],
            "layer": "model",
            "lead_bucket": "0–6 h",
            "model_version": "1",
            "n": [6, 2],
            "mae_mw": [1.0, 5.0],
            "bias_mw": [-1.0, 3.0],
            "pinball_mw": [0.5, 0.5],
            "coverage_80": [1.0, 0.0],
            "coverage_90": [1.0, 1.0],
            "naive_mae_mw": [4.0, None],
            "naive_pinball_mw": [1.0, 3.0],
        }
    )
    here.store.save_scores(scores)
    with here.client() as client:
        accuracy = client.get("/v1/accuracy", params={"series_id": "system"}).json()["items"]
        quality = client.get("/v1/quality", params={"series_id": "system"}).json()["items"]
    assert rows.height == 12
    assert accuracy == [
        {
            "series_id": "system",
            "layer": "model",
            "lead_bucket": "0–6 h",
            "n": 8,
            "mae_mw": 2.0,
            "bias_mw": 0.0,
            "pinball_mw": 0.5,
            "coverage_80": 0.75,
            "coverage_90": 1.0,
            "naive_mae_mw": 4.0,
            "naive_pinball_mw": 1.5,
            "skill_mae_vs_naive": 0.75,
            "skill_pinball_vs_naive": pytest.approx(2 / 3),
        }
    ]
    assert quality == [{"series_id": "system", "quality": "good", "n": 240, "share": 1.0}]


def test_an_operator_overrules_the_newest_forecast_and_those_that_follow_until_withdrawn(here: Served) -> None:
    start, end = here.newest + 2 * HOUR, here.newest + 5 * HOUR
    wanted = {"series_id": "system", "start": text(start), "end": text(end), "operation": "add", "value": 40.0}
    with here.client(Role.OPERATOR) as client:
        model = client.get("/v1/forecasts/system").json()
        made = client.post("/v1/overrides", json={**wanted, "reason": "a match in the evening"})
        changed = client.get("/v1/forecasts/system").json()
        untouched = client.get("/v1/forecasts/system", params={"layer": "model"}).json()
        active = client.get("/v1/overrides", params={"active": True}).json()["items"]
        gone = client.delete(f"/v1/overrides/{made.json()['override_id']}")
        again = client.delete(f"/v1/overrides/{made.json()['override_id']}")
        back = client.get("/v1/forecasts/system").json()
        listed = client.get("/v1/overrides").json()["items"]
    moved = [now - before for now, before in zip(loads(changed), loads(model), strict=True)]
    assert made.status_code == 201
    assert made.json()["author"] == "the operator"
    assert moved == pytest.approx([0, 0, 40, 40, 40, 0, 0, 0, 0, 0, 0, 0])
    assert [each["layer"] for each in changed["points"]][1:6] == ["model", *["operator"] * 3, "model"]
    assert untouched == {**model, "layer": "model"}
    assert [each["override_id"] for each in active] == [made.json()["override_id"]]
    assert gone.json()["withdrawn_by"] == "the operator"
    assert again.status_code == 409
    assert back == model
    assert len(listed) == len(active)


def test_an_override_is_scored_once_its_actuals_are_in(here: Served) -> None:
    issue, series_id = here.newest - 8 * HOUR, "zone_s"
    actual = here.store.readings(start=issue, end=here.newest).filter(series_id=series_id)
    with here.client(Role.OPERATOR) as client:
        wanted = {"series_id": series_id, "operation": "set", "value": 60.0, "reason": "a guess"}
        span = {"start": text(issue + HOUR), "end": text(issue + 4 * HOUR), "expires_at": text(here.newest + HOUR)}
        made = client.post("/v1/overrides", json={**wanted, **span}).json()
        here.issue(issue)
        score = client.get(f"/v1/overrides/{made['override_id']}/score").json()
        client.delete(f"/v1/overrides/{made['override_id']}")
    measured = actual["load_mw"].to_list()[1:4]
    model = here.store.forecasts(start=issue, end=issue + HOUR).filter(series_id=series_id, layer="model")["p50"]
    model_mae = sum(abs(a - b) for a, b in zip(model.to_list()[1:4], measured, strict=True)) / 3
    assert score["n"] == 3
    assert score["operator_mae_mw"] == pytest.approx(sum(abs(60 - each) for each in measured) / 3)
    assert score["model_mae_mw"] == pytest.approx(model_mae)
    assert score["helped"] is (score["value_added_mw"] > 0)


def test_overrides_that_make_no_sense_are_refused(here: Served) -> None:
    good = {
        "series_id": "system",
        "start": text(here.newest),
        "end": text(here.newest + HOUR),
        "operation": "scale",
        "value": 1.1,
        "reason": "hotter",
    }
    wrong = (
        {"value": 0},
        {"value": -1},
        {"end": text(here.newest - HOUR)},
        {"operation": "double"},
        {"reason": ""},
        {"start": "2024-01-01T00:00"},
        {"series_id": "nobody"},
        {"author": "somebody else"},
        {"start": text(here.newest - 9 * HOUR), "end": text(here.newest - 8 * HOUR)},
    )
    before = here.store.counts()["overrides"]
    with here.client(Role.OPERATOR) as client, here.client(Role.VIEWER) as viewers:
        answers = [client.post("/v1/overrides", json={**good, **each}).status_code for each in wrong]
        viewer = viewers.post("/v1/overrides", json=good).status_code
    assert answers == [422, 422, 422, 422, 422, 422, 404, 422, 422]
    assert viewer == 403
    assert here.store.counts()["overrides"] == before


def test_warmer_or_colder_weather_and_an_event_change_what_would_be_forecast_and_nothing_is_kept(here: Served) -> None:
    before = here.store.counts()
    day = f"{here.newest:%Y-%m-%d}"
    times = [text(here.newest + hour * HOUR) for hour in range(12)]
    with here.client(Role.OPERATOR) as client, here.client(Role.VIEWER) as viewers:
        issued = loads(client.get("/v1/forecasts/system").json())
        same, warm, cold, given, event = (
            client.post("/v1/what-if", json={"series_id": "system", **each})
            for each in (
                {},
                {"temperature_shift_c": 8},
                {"temperature_shift_c": -8},
                {"temperatures": [{"valid_time": each, "temperature_c": -5.0} for each in times]},
                {"event": {"start": day, "end": day, "name": "final"}},
            )
        )
        wrong = client.post("/v1/what-if", json={"series_id": "system", "temperature_shift_c": 80})
        viewer = viewers.post("/v1/what-if", json={"series_id": "system"})
    assert [each.status_code for each in (same, warm, cold, given, event)] == [200] * 5
    assert loads(same.json()) == pytest.approx(issued)
    assert sum(loads(warm.json())) < sum(issued) < sum(loads(cold.json())) < sum(loads(given.json()))
    assert all(each["change_mw"] == pytest.approx(each["p50"] - each["issued_p50"]) for each in warm.json()["points"])
    assert wrong.status_code == 422
    assert viewer.status_code == 403
    after = here.store.counts()
    changed = {name for name in before if before[name] != after[name]}
    assert changed <= {"audit_log"}


def test_peaks_of_the_days_ahead_come_with_their_limit(here: Served) -> None:
    with here.client() as client:
        answer = client.get("/v1/forecasts/system/peaks")
    assert answer.status_code == 200
    assert answer.json()["days"] == []  # twelve hours hold no whole local day


PUSH = "/v1/readings"


def csv_of(*rows: tuple[str, str, str]) -> str:
    return "\n".join(["series_id,valid_time,load_mw", *(",".join(row) for row in rows), ""])


def test_pushed_readings_land_once_for_each_key_in_every_format(here: Served) -> None:
    hour = here.newest + 50 * HOUR
    frame = pl.DataFrame([("zone_n", hour + 2 * HOUR, 7.0, hour + 3 * HOUR)], schema=READINGS, orient="row").select(
        "series_id", "valid_time", "load_mw"
    )
    arrow = io.BytesIO()
    with pa.ipc.new_stream(arrow, frame.to_arrow(compat_level=pl.CompatLevel.oldest()).schema) as stream:
        stream.write_table(frame.to_arrow(compat_level=pl.CompatLevel.oldest()))
    rows = [{"series_id": "zone_n", "valid_time": text(hour), "load_mw": 5.5}]
    local = (hour + HOUR + timedelta(hours=2)).replace(tzinfo=None).isoformat(timespec="minutes") + "+02:00"
    head = here.store.log_head()
    with here.client(Role.ENGINEER) as client:
        key = {"Idempotency-Key": f"{here.url}-first"}
        first, again = (client.post(PUSH, json={"readings": rows}, headers=key) for _ in range(2))
        other = client.post(PUSH, json={"readings": [{**rows[0], "load_mw": 6.0}]}, headers=key)
        repeated = client.post(PUSH, json={"readings": rows})
        csv = client.post(PUSH, content=csv_of(("zone_n", local, "6.5")), headers={"Content-Type": "text/csv"})
        kind = {"Content-Type": "application/vnd.apache.arrow.stream"}
        sent = client.post(PUSH, content=arrow.getvalue(), headers=kind)
    assert first.json() == again.json() == {"received": 1, "landed": 1, "repeated": 0}
    assert other.status_code == 409
    assert repeated.json() == {"received": 1, "landed": 0, "repeated": 1}
    assert csv.json() == sent.json() == first.json()
    landed = here.store.landed_after(after_offset=head, up_to_offset=here.store.log_head())
    assert landed["load_mw"].to_list() == [5.5, 6.5, 7.0]
    assert landed["valid_time"].to_list() == [hour, hour + HOUR, hour + 2 * HOUR]
    assert here.store.sources()["source"].to_list() == ["push"]


GOOD = ("zone_n", "2024-06-01T00:00Z", "1")


@pytest.mark.parametrize(
    ("kind", "body", "reasons"),
    [
        pytest.param("text/csv", csv_of(GOOD, ("zone_n", "?", "2")), ["unparsable_time"], id="time"),
        pytest.param("text/csv", csv_of(("zone_n", "2024-06-01T00:00", "1")), ["unparsable_time"], id="no offset"),
        pytest.param("text/csv", csv_of(("zone_n", "2024-06-01T00:00Z", "x")), ["load_not_a_number"], id="load"),
        pytest.param("text/csv", csv_of(("zone_n", "2024-06-01T00:00Z", "inf")), ["load_not_finite"], id="infinite"),
        pytest.param("text/csv", csv_of(("", "2024-06-01T00:00Z", "1")), ["missing_series_id"], id="nobody's"),
        pytest.param("text/csv", csv_of(("system", "2024-06-01T00:00Z", "1")), ["unknown_series"], id="sum"),
        pytest.param("text/csv", "a,b\n1,2\n", [], id="columns"),
        pytest.param("text/csv", "\xff", [], id="bytes"),
        pytest.param("application/json", "{", [], id="json"),
        pytest.param("application/json", '{"readings": [1]}', [], id="no objects"),
        pytest.param("application/vnd.apache.arrow.stream", "nonsense", [], id="arrow"),
        pytest.param("application/x-www-form-urlencoded", "a=b", [], id="form"),
    ],
)  # fmt: skip
def test_of_a_push_with_anything_wrong_nothing_lands(here: Served, kind: str, body: str, reasons: list[str]) -> None:
    head = here.store.log_head()
    with here.client(Role.ENGINEER) as client:
        answer = client.post(PUSH, content=body.encode("latin-1"), headers={"Content-Type": kind})
    assert answer.status_code == 422
    assert [each["reason"] for each in answer.json().get("rows", [])] == reasons
    assert here.store.log_head() == head


@pytest.mark.parametrize("table", ["readings", "forecasts", "scores", "events", "overrides"])
def test_a_table_is_exported_in_every_format_with_the_same_rows(here: Served, table: str) -> None:
    span = {"start": text(here.newest - 5 * HOUR), "end": "2030-01-01T00:00Z"}
    with here.client(Role.VIEWER) as client:
        files = {
            kind: client.get(f"/v1/export/{table}", params={"format": kind, **span}).content
            for kind in ("csv", "parquet", "arrow", "xlsx")
        }
    parquet, arrow = pl.read_parquet(files["parquet"]), pl.read_ipc_stream(files["arrow"])
    csv = pl.read_csv(files["csv"], infer_schema=False)
    assert parquet.equals(arrow)
    assert (csv.height, csv.columns) == (parquet.height, parquet.columns)
    assert files["xlsx"][:2] == b"PK"
    if table == "forecasts":
        kept = here.store.forecasts(start=here.newest - 5 * HOUR, end=here.newest + HOUR)
        assert parquet.filter(layer="model").height == kept.filter(layer="model").height == 6 * 3 * 12


def test_every_vintage_of_the_weather_is_exported_and_those_known_at_a_time(here: Served) -> None:
    span = {"start": text(here.newest - 5 * HOUR), "end": text(here.newest + 5 * HOUR), "format": "parquet"}
    with here.client() as client:
        every, then = (
            pl.read_parquet(client.get("/v1/export/weather", params={**span, **more}).content)
            for more in ({}, {"as_of": text(here.newest - 3 * HOUR)})
        )
    assert every.columns == WEATHER.names()
    assert every.group_by("station_id", "valid_time").len()["len"].max() > 3
    assert 0 < then.height == every.filter(pl.col("available_at") <= here.newest - 3 * HOUR).height < every.height


def test_an_export_shows_what_was_known_at_a_time(here: Served) -> None:
    span = {"start": text(here.newest - 5 * HOUR), "end": text(here.newest + HOUR), "format": "csv"}
    with here.client() as client:
        rows = client.get("/v1/export/forecasts", params={**span, "as_of": text(here.newest - 4 * HOUR)}).text
    assert {each.split(",")[1] for each in rows.splitlines()[1:]} == {
        (here.newest - hours * HOUR).strftime("%Y-%m-%dT%H:%M:%SZ") for hours in (4, 5)
    }


def test_a_new_forecast_is_told_to_those_who_listen(here: Served) -> None:
    with here.client(Role.VIEWER) as client, client.stream("GET", "/v1/stream") as answer:
        lines = (each for each in answer.iter_lines() if each.startswith("data:"))
        first = next(lines)
        here.issue(here.newest + HOUR)
        second = next(each for each in lines if each != first)
        assert answer.headers["Content-Type"].startswith("text/event-stream")
    assert text(here.newest) in first
    assert text(here.newest + HOUR) in second
