"""What the service and the command tell Prometheus is what the store holds."""

from collections.abc import Iterator
from datetime import timedelta

import polars as pl
import pytest
from prometheus_client.parser import text_string_to_metric_families
from support.plans import long_scans, plans_of
from support.plant import Plant
from support.served import HOUR, Served, served

from gridcast.app.service import Service
from gridcast.domain.quantiles import QUANTILE_COLUMNS
from gridcast.domain.roles import Role
from gridcast.monitoring.exposition import exposition
from gridcast.monitoring.metric_names import METRICS
from gridcast.registry.mlflow_registry import Registry
from gridcast.workflows.forecasts.score_forecasts import score_forecasts
from gridcast.workflows.watching.show_status import show_status

Values = dict[str, dict[tuple[tuple[str, str], ...], float]]


def values_of(text: str) -> Values:
    """Name → labels → value."""
    found: Values = {}
    for family in text_string_to_metric_families(text):
        for each in family.samples:
            found.setdefault(each.name, {})[tuple(sorted(each.labels.items()))] = each.value
    return found


def labelled(**labels: str) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(labels.items()))


@pytest.fixture(scope="module")
def here(plant: Plant, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("measured")
    with served(plant, folder / "data", folder / "gridcast.db") as found:
        found.issue(found.newest - 3 * HOUR)
        score_forecasts(found.store, plant.processed, last=timedelta(days=2))
        yield found


def at_the_end_of_its_history(here: Served) -> Service:
    """The same service an hour after its newest forecast."""
    service = here.service
    return Service(service.store, service.workspace, service.settings, clock=lambda: here.newest + HOUR)


def test_a_viewer_reads_metrics_and_nobody_else_does(here: Served) -> None:
    with here.client(Role.VIEWER) as client, here.client(None) as stranger:
        answer = client.get("/metrics")
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/plain; version=")
        assert stranger.get("/metrics").status_code == 401
    assert values_of(answer.text)["gridcast_store_up"] == {(): 1.0}


def test_metrics_are_those_of_the_store(here: Served) -> None:
    found = values_of(at_the_end_of_its_history(here).metrics.text().decode())
    assert found["gridcast_forecast_age_seconds"][labelled(layer="model")] == 3600
    assert found["gridcast_reading_age_seconds"][labelled(level="system")] == 7200
    assert found["gridcast_events_total"][labelled(kind="promoted")] == 1
    assert found["gridcast_events_total"][labelled(kind="promotion_refused")] == 0
    assert found["gridcast_model_info"][labelled(alias="champion", version="1")] == 1
    ids = here.plant.processed.hierarchy.ids
    assert found["gridcast_forecast_rows"][labelled(layer="model")] == 12 * len(ids)
    assert {dict(labels)["series_id"] for labels in found["gridcast_forecast_mae_megawatts"]} == set(ids)
    with here.store.transaction():
        scores = here.store.scores().filter(series_id="system", layer="model", lead_bucket="0–6 h")
    weighted = (scores["mae_mw"] * scores["n"]).sum() / scores["n"].sum()
    labels = labelled(series_id="system", layer="model", lead_bucket="0–6 h")
    assert found["gridcast_forecast_mae_megawatts"][labels] == pytest.approx(weighted)
    assert set(found["gridcast_forecast_impossible_rows"].values()) == {0.0}
    assert len(found["gridcast_forecast_jump_ratio"]) == len(ids)


def test_series_and_readings_are_counted_by_level_and_flag(here: Served) -> None:
    found = values_of(at_the_end_of_its_history(here).metrics.text().decode())
    assert found["gridcast_late_series"][labelled(level="zone")] == 0
    assert sum(found["gridcast_clean_readings"].values()) == 24 * len(here.plant.processed.hierarchy.ids)


def test_live_errors_stand_beside_those_of_the_weekly_naive(here: Served) -> None:
    found = values_of(at_the_end_of_its_history(here).metrics.text().decode())
    assert found["gridcast_naive_mae_megawatts"].keys() == found["gridcast_forecast_mae_megawatts"].keys()
    assert min(found["gridcast_naive_pinball_megawatts"].values()) > 0


def test_a_store_that_does_not_answer_is_told_as_such(here: Served) -> None:
    service = at_the_end_of_its_history(here)
    with here.store.transaction() as connection:
        connection.exec_driver_sql("ALTER TABLE runs RENAME TO gone")
    try:
        found = values_of(service.metrics.text().decode())
    finally:
        with here.store.transaction() as connection:
            connection.exec_driver_sql("ALTER TABLE gone RENAME TO runs")
    assert found["gridcast_store_up"] == {(): 0.0}
    assert found["gridcast_store_errors_total"] == {(): 1.0}
    assert "gridcast_model_info" in found


def test_a_scrape_finds_what_it_needs_by_key_however_long_the_history_is(here: Served) -> None:
    watch = at_the_end_of_its_history(here)._watch()  # noqa: SLF001 - without what it keeps for five seconds
    plans = plans_of(here.store, lambda: exposition(watch.samples()))
    assert len(plans) > 5
    assert long_scans(plans) == {}


def test_so_does_a_probe_which_asks_for_the_status(here: Served) -> None:
    workspace = here.service.workspace
    registry = Registry.open(workspace.registry)

    def ask() -> None:
        found = show_status(workspace, registry=registry, store=here.store, max_reading_age=HOUR)
        assert found.facts["newest_clean_reading"] == here.store.newest_reading() == here.newest - HOUR
        assert found.facts["newest_issue_time"] == here.newest
        assert found.late_series == []

    plans = plans_of(here.store, ask)
    assert len(plans) >= 5
    assert long_scans(plans) == {}


def test_a_model_on_trial_is_held_against_the_one_in_charge_at_the_same_points(here: Served) -> None:
    assert "gridcast_shadow_skill_ratio" not in values_of(at_the_end_of_its_history(here).metrics.text().decode())
    times = [here.newest - hours * HOUR for hours in (15, 14, 0)]
    for at in times:
        rows = here.store.forecasts(start=at, end=at + HOUR).filter(layer="model")
        worse = [pl.col(name) + 2.0 for name in QUANTILE_COLUMNS]
        here.store.save_forecasts(rows.with_columns(*worse, layer=pl.lit("shadow"), model_version=pl.lit("2")))
    score_forecasts(here.store, here.plant.processed, last=timedelta(days=2))
    found = values_of(at_the_end_of_its_history(here).metrics.text().decode())
    scores = here.store.scores().filter(pl.col("issue_time").is_in(times), series_id="system")
    lost = {
        layer: (part["pinball_mw"] * part["n"]).sum() / part["n"].sum()
        for (layer,), part in scores.filter(pl.col("issue_time") < here.newest).group_by("layer")
    }
    system = labelled(series_id="system")
    assert lost["shadow"] != lost["model"]
    assert found["gridcast_shadow_skill_ratio"][system] == pytest.approx(1 - lost["shadow"] / lost["model"])
    assert found["gridcast_shadow_scored_points"][system] == 24
    assert found["gridcast_shadow_scored_seconds"][system] == 3600
    assert "shadow" in {dict(labels)["layer"] for labels in found["gridcast_forecast_mae_megawatts"]}
    here.issue(here.newest + HOUR)
    assert "gridcast_shadow_skill_ratio" not in values_of(at_the_end_of_its_history(here).metrics.text().decode())


def test_every_sample_is_of_a_metric_that_is_named_once(here: Served) -> None:
    names = [each.name for each in METRICS]
    assert len(names) == len(set(names))
    samples = at_the_end_of_its_history(here)._watch().samples()  # noqa: SLF001
    assert all(len(each.labels) == len(each.metric.labels) for each in samples)
