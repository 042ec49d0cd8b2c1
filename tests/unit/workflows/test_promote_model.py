from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from support.empty_registry import copy_empty_registry
from support.scored_frames import forecaster_rows
from support.workers import run_folder

from gridcast.domain.errors import GateRefusedError, GridcastError, UsageError
from gridcast.domain.quantiles import QUANTILE_COLUMNS
from gridcast.registry.catalogue import RegisteredModel
from gridcast.registry.mlflow_registry import Registry
from gridcast.store import audit
from gridcast.store.errors import StoreError
from gridcast.store.store import Store
from gridcast.workflows.forecasts.weather_use import WeatherKnown
from gridcast.workflows.judging.backtest import Backtest
from gridcast.workflows.judging.judge_model import Comparison
from gridcast.workflows.judging.model_cost import Cost
from gridcast.workflows.lifecycle.gate import Gate
from gridcast.workflows.lifecycle.model_history import read_history
from gridcast.workflows.lifecycle.promote_model import ApprovalMissingError, Office, Promotion

DEFAULT = Gate()
CHEAP = Cost(latency_ms=4.0, size_mb=2.0)
START = datetime(2024, 3, 1, tzinfo=UTC)


def measured(model: RegisteredModel, *, pinball: float, skill: float = 0.5, coverage: float = 0.8) -> Backtest:
    headline = {"pinball_model": pinball, "skill_pinball_vs_naive": skill, "coverage_80": coverage}
    return Backtest(pl.DataFrame(), headline, (START,) * 14, model.version, "", "data")


class Plant:
    """A real registry and store, and models whose loss is given."""

    def __init__(self, folder: Path, *, run: Path) -> None:
        self.registry = Registry.open(copy_empty_registry(folder / "registry", run=run))
        self.store = Store.open(folder / "gridcast.db")
        self.artefact = folder / "artefact"
        self.artefact.mkdir()
        (self.artefact / "model.tflite").write_bytes(b"weights")

    def champion(self) -> str | None:
        found = self.registry.champion()
        return None if found is None else found.version

    def model(self) -> RegisteredModel:
        return self.registry.register(self.artefact, params={}, metrics={}, tags={}, pip_requirements=())

    def promote(
        self,
        candidate: RegisteredModel,
        *,
        losses: Callable[[RegisteredModel], Backtest],
        gate: Gate = DEFAULT,
        cost: Cost = CHEAP,
        actor: str = "anna",
        on_trial: bool = False,
        dry_run: bool = False,
    ) -> Promotion:
        def compare(challenger: RegisteredModel, champion: RegisteredModel | None) -> Comparison:
            return Comparison(losses(challenger), None if champion is None else losses(champion), "", cost)

        office = self.office(actor=actor, dry_run=dry_run)
        return office.promote(candidate, gate=gate, compare=compare, on_trial=on_trial)

    def office(self, *, actor: str = "anna", dry_run: bool = False) -> Office:
        return Office(self.registry, self.store, START, actor, dry_run=dry_run)

    def aliases(self, version: str) -> tuple[str, ...]:
        return self.registry.get(version).aliases


@pytest.fixture
def plant(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Plant:
    return Plant(tmp_path, run=run_folder(tmp_path_factory))


def test_the_first_model_that_passes_the_gate_takes_charge_and_the_decision_is_kept(plant: Plant) -> None:
    done = plant.promote(plant.model(), losses=lambda model: measured(model, pinball=2.0))

    champion = plant.registry.champion()
    assert champion is not None
    assert (done.version, done.previous, done.changed) == (champion.version, None, True)
    assert champion.aliases == ("champion",)
    assert champion.tags["promoted_by"] == "anna"
    (event,) = plant.store.events().to_dicts()
    assert event["kind"] == "promoted"
    assert "over 14 held-out days its pinball loss is 2.000 MW, 50% below the weekly naive" in event["message"]
    assert event["message"].endswith("with observed temperatures (ex-post)")


def test_only_a_smaller_loss_than_the_champions_on_the_same_unseen_days_takes_its_place(plant: Plant) -> None:
    losses = {"1": 2.0, "2": 2.0, "3": 1.9}

    def judged(model: RegisteredModel) -> Backtest:
        return measured(model, pinball=losses[model.version])

    plant.promote(plant.model(), losses=judged)
    with pytest.raises(GateRefusedError, match=r"2\.000 MW, expected less than the 2\.000 MW of champion 1"):
        plant.promote(plant.model(), losses=judged)
    assert plant.store.events()["kind"].to_list() == ["promoted", "promotion_refused"]

    done = plant.promote(plant.model(), losses=judged)

    assert (done.version, done.previous) == ("3", "1")


def test_the_reason_says_how_sure_the_difference_to_the_champion_is(plant: Plant) -> None:
    issues = tuple(START + timedelta(days=day) for day in range(28))
    points = forecaster_rows("model", series=("system",), leads=24, issues=issues)

    def judged(model: RegisteredModel) -> Backtest:
        shift = {"1": 4.0, "2": 2.0}[model.version]
        shifted = points.with_columns(pl.col("actual_mw").alias(each) + shift for each in QUANTILE_COLUMNS)
        return replace(measured(model, pinball=shift / 2), points=shifted, origins=issues)

    plant.promote(plant.model(), losses=judged)
    done = plant.promote(plant.model(), losses=judged)

    told = "2.000 MW of champion 1 (difference -1.000 MW, with 95 % confidence -1.000 to -1.000 MW; better with a"
    assert f"is 1.000 MW, 50% below the weekly naive, against {told}" in done.reason


def test_models_judged_with_different_weather_are_never_compared(plant: Plant) -> None:
    plant.promote(plant.model(), losses=lambda model: measured(model, pinball=2.0))

    def judged(model: RegisteredModel) -> Backtest:
        known = WeatherKnown.OBSERVED if model.version == "1" else WeatherKnown.AS_ISSUED
        return replace(measured(model, pinball=1.0), weather=known)

    with pytest.raises(ValueError, match="judged with as_issued and observed weather"):
        plant.promote(plant.model(), losses=judged)


@pytest.mark.parametrize(
    ("skill", "coverage", "words"),
    [
        pytest.param(-0.1, 0.8, "skill against the weekly naive is -10.0%", id="worse than naive"),
        pytest.param(0.0, 0.8, "expected more than 0%", id="no better than naive"),
        pytest.param(0.5, 0.6, "holds 60.0% of the measurements, expected 70% to 90%", id="too narrow"),
        pytest.param(0.5, 0.95, "holds 95.0%", id="too wide"),
        pytest.param(float("nan"), float("nan"), "nan%", id="not a number"),
    ],
)
def test_a_model_below_the_limits_is_refused_with_the_figures(
    plant: Plant, skill: float, coverage: float, words: str
) -> None:
    with pytest.raises(GateRefusedError, match=words) as refused:
        plant.promote(plant.model(), losses=lambda model: measured(model, pinball=1.0, skill=skill, coverage=coverage))

    assert refused.value.exit_code == 3
    assert plant.registry.champion() is None


def test_on_days_on_which_every_band_fails_one_that_fails_less_than_the_champions_passes(plant: Plant) -> None:
    coverages = {"1": 0.8, "2": 0.65, "3": 0.55}

    def judged(model: RegisteredModel) -> Backtest:
        return measured(model, pinball=2.0 - float(model.version) / 10, coverage=coverages[model.version])

    plant.promote(plant.model(), losses=judged)
    coverages["1"] = 0.6
    assert plant.promote(plant.model(), losses=judged).version == "2"
    with pytest.raises(GateRefusedError, match=r"holds 55\.0% of the measurements"):
        plant.promote(plant.model(), losses=judged)


def test_a_dry_run_judges_and_changes_nothing(plant: Plant) -> None:
    done = plant.promote(plant.model(), losses=lambda model: measured(model, pinball=2.0), dry_run=True)

    assert not done.changed
    assert plant.registry.champion() is None
    assert plant.store.events().is_empty()


def test_an_impossible_gate_is_refused() -> None:
    with pytest.raises(UsageError, match="two shares between 0 and 1"):
        Gate(coverage_80=(0.9, 0.7))


def test_a_rollback_puts_the_former_champion_back_and_another_one_undoes_it(plant: Plant) -> None:
    first, second = plant.model(), plant.model()
    plant.promote(first, losses=lambda model: measured(model, pinball=2.0))
    with pytest.raises(GridcastError, match="no model to go back to"):
        plant.office().roll_back()
    plant.promote(second, losses=lambda model: measured(model, pinball=2.0 if model.version == "1" else 1.0))

    would = plant.office(dry_run=True).roll_back()
    assert (would.version, would.changed) == ("1", False)
    assert plant.champion() == "2"
    done = plant.office().roll_back(reason="too low at night")
    assert (done.version, done.previous, done.changed) == ("1", "2", True)
    assert plant.champion() == "1"
    assert plant.store.events()["message"][-1] == "model 1 by anna: instead of 2: too low at night"
    assert plant.office().roll_back().version == "2"
    assert plant.store.events()["kind"].to_list() == ["promoted", "promoted", "rolled_back", "rolled_back"]


def test_a_model_that_is_hardly_surely_better_than_the_champion_is_refused(plant: Plant) -> None:
    issues = tuple(START + timedelta(days=day) for day in range(28))
    points = forecaster_rows("model", series=("system",), leads=24, issues=issues)
    week = pl.col("issue_time").dt.week() % 2 == 0

    def judged(model: RegisteredModel) -> Backtest:
        shift = pl.lit(2.0) if model.version == "1" else pl.when(week).then(6.0).otherwise(-2.1)
        wrong = points.with_columns(pl.col("actual_mw").alias(each) + shift for each in QUANTILE_COLUMNS)
        return replace(measured(model, pinball=2.0 if model.version == "1" else 1.99), points=wrong, origins=issues)

    plant.promote(plant.model(), losses=judged)
    with pytest.raises(GateRefusedError, match=r"better than champion 1 with a probability of \d+%, expected 80%"):
        plant.promote(plant.model(), losses=judged)


def test_a_model_that_is_much_worse_at_one_level_is_refused_however_good_it_is_in_all(plant: Plant) -> None:
    def judged(model: RegisteredModel) -> Backtest:
        at_zones = 5.0 if model.version == "1" else 5.5
        scores = pl.DataFrame(
            {
                "dimension": ["level"] * 2,
                "value": ["system", "zone"],
                "forecaster": "model",
                "pinball_mw": [9.0, at_zones],
            }
        )
        return replace(measured(model, pinball=2.0 if model.version == "1" else 1.0), scores=scores)

    plant.promote(plant.model(), losses=judged)
    with pytest.raises(GateRefusedError, match=r"at the level zone its pinball loss is 5\.500 MW, expected at most 5%"):
        plant.promote(plant.model(), losses=judged)
    assert plant.promote(plant.model(), losses=judged, gate=Gate(max_worse_at_level=0.2)).changed


@pytest.mark.parametrize(
    ("cost", "words"),
    [
        pytest.param(Cost(120.0, 2.0), r"takes 120\.0 ms, expected 100 at most", id="slow"),
        pytest.param(Cost(4.0, 900.0), r"has 900\.0 MB, expected 200 at most", id="large"),
    ],
)
def test_a_model_that_costs_too_much_is_refused(plant: Plant, cost: Cost, words: str) -> None:
    with pytest.raises(GateRefusedError, match=words):
        plant.promote(plant.model(), losses=lambda model: measured(model, pinball=1.0), cost=cost)


def test_where_a_second_person_is_wanted_nobody_promotes_what_they_alone_approve_of(plant: Plant) -> None:
    gate, model = Gate(approvals=1), plant.model()

    def judged(each: RegisteredModel) -> Backtest:
        return measured(each, pinball=1.0)

    plant.office(actor="anna").approve(model, reason="looked at it")
    with pytest.raises(ApprovalMissingError, match="approved of by 0 persons other than anna, expected 1"):
        plant.promote(model, losses=judged, gate=gate, actor="anna")
    with pytest.raises(UsageError, match="anna has approved of it already"):
        plant.office(actor="anna").approve(model, reason="again")

    assert plant.promote(model, losses=judged, gate=gate, actor="ben").changed
    assert [each.action for each in read_history(plant.store, newest=9)] == [
        "model.approved",
        "model.promotion_refused",
        "model.promoted",
    ]


def test_a_trial_needs_a_champion_and_a_passed_gate_and_leaves_the_champion_in_charge(plant: Plant) -> None:
    losses = {"1": 2.0, "2": 1.0, "3": 3.0}

    def judged(model: RegisteredModel) -> Backtest:
        return measured(model, pinball=losses[model.version])

    first = plant.model()
    with pytest.raises(UsageError, match="expected one beside whom"):
        plant.promote(first, losses=judged, on_trial=True)
    plant.promote(first, losses=judged)
    plant.promote(plant.model(), losses=judged, on_trial=True)
    with pytest.raises(GateRefusedError):
        plant.promote(plant.model(), losses=judged, on_trial=True)

    assert plant.champion() == "1"
    assert plant.aliases("2") == ("shadow",)
    assert plant.office().end_trial(reason="enough seen").version == "2"
    assert plant.registry.shadow() is None
    with pytest.raises(GridcastError, match="no model is on trial"):
        plant.office().end_trial(reason="")


def test_the_former_champion_goes_on_beside_the_new_one_until_it_is_put_back(plant: Plant) -> None:
    def judged(model: RegisteredModel) -> Backtest:
        return measured(model, pinball=3.0 - int(model.version))

    plant.promote(plant.model(), losses=judged)
    plant.promote(plant.model(), losses=judged)
    assert plant.aliases("1") == ("previous", "shadow")
    plant.office().roll_back()
    assert plant.aliases("1") == ("champion",)
    assert plant.aliases("2") == ("previous",)


def test_every_decision_is_in_a_log_that_cannot_be_changed(plant: Plant) -> None:
    plant.promote(plant.model(), losses=lambda model: measured(model, pinball=2.0))
    (step,) = read_history(plant.store, newest=9)
    assert (step.actor, step.target, step.detail["known_until"]) == ("anna", "model 1", START.isoformat())
    assert "below the weekly naive" in step.detail["reason"]
    assert audit.verify(plant.store).fault is None

    with pytest.raises(StoreError, match="append-only"), plant.store.transaction() as connection:
        connection.exec_driver_sql("UPDATE audit_log SET actor = 'ben' WHERE audit_id = 1")
