"""The model renews itself step by step, whatever was interrupted, and never keeps one that does worse."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from support.empty_registry import copy_empty_registry
from support.processed_history import START, write_history
from support.tiny_model import exported_in
from support.workers import run_folder

from gridcast.domain.errors import UsageError
from gridcast.domain.tables import Layer
from gridcast.registry.catalogue import RegisteredModel
from gridcast.registry.mlflow_registry import Registry
from gridcast.store.store import Store
from gridcast.workflows.judging.backtest import Backtest
from gridcast.workflows.judging.judge_model import Comparison
from gridcast.workflows.judging.model_cost import Cost
from gridcast.workflows.lifecycle.gate import Gate
from gridcast.workflows.lifecycle.model_history import read_history
from gridcast.workflows.lifecycle.promote_model import Office
from gridcast.workflows.lifecycle.retrain import Done, Outcome, Renewal
from gridcast.workflows.lifecycle.retrain_rules import RetrainRules
from gridcast.workflows.readings.processed import Processed
from gridcast.workflows.training.train_model import KNOWN_UNTIL, TRAINED_BECAUSE
from gridcast.workflows.watching.drift_state import DRIFT_SCORES, DriftState

DAY = timedelta(days=1)
RULES = RetrainRules(every=28 * DAY, rest=7 * DAY, watch=4 * DAY, max_live_worse=0.2)


@dataclass
class Plant:
    """A real registry and store and a clean history; how good a model is, is said by the test."""

    folder: Path
    artefact: Path
    registry: Registry
    store: Store
    processed: Processed
    losses: dict[str, float] = field(default_factory=dict)
    now: datetime = START + 120 * DAY
    drift: DriftState | None = None
    interrupted: bool = False

    def step(self, rules: RetrainRules = RULES, *, gate: Gate | None = None, **how: bool) -> Done:
        return self.renewal(rules, gate=gate or Gate()).step(**how)

    def renewal(self, rules: RetrainRules = RULES, *, gate: Gate, dry_run: bool = False) -> Renewal:
        return Renewal(
            office=Office(self.registry, self.store, self.now, "timer", dry_run=dry_run),
            processed=self.processed,
            rules=rules,
            gate=gate,
            train=self.train,
            compare=self.compare,
            drift=self.drift,
        )

    def train(self, because: str) -> RegisteredModel:
        tags = {
            KNOWN_UNTIL: self.now.isoformat(),
            TRAINED_BECAUSE: because,
            "trained_until": (self.now - 28 * DAY).isoformat(),
        }
        return self.registry.register(self.artefact, params={}, metrics={}, tags=tags, pip_requirements=())

    def compare(self, candidate: RegisteredModel, champion: RegisteredModel | None) -> Comparison:
        if self.interrupted:
            raise KeyboardInterrupt
        reigning = None if champion is None else self.measured(champion)
        return Comparison(self.measured(candidate), reigning, "", Cost(4.0, 2.0))

    def measured(self, model: RegisteredModel) -> Backtest:
        pinball = self.losses.get(model.version, 1.0)
        headline = {"pinball_model": pinball, "skill_pinball_vs_naive": 0.5, "coverage_80": 0.8}
        return Backtest(pl.DataFrame(), headline, (START,) * 14, model.version, "", "data")

    def live(self, **pinball: float) -> None:
        """Scores of a day of forecasts by `model` and `shadow`, issued now."""
        champion, shadow = self.registry.champion(), self.registry.shadow()
        assert champion is not None
        assert shadow is not None
        versions = {Layer.MODEL: champion.version, Layer.SHADOW: shadow.version}
        rows = [
            {
                "series_id": "system",
                "issue_time": self.now,
                "layer": layer.value,
                "lead_bucket": "0-6 h",
                "model_version": version,
                "n": 6,
                "mae_mw": 1.0,
                "bias_mw": 0.0,
                "pinball_mw": pinball["model" if layer is Layer.MODEL else "shadow"],
                "coverage_80": 0.8,
                "coverage_90": 0.9,
                "naive_mae_mw": 2.0,
                "naive_pinball_mw": 1.0,
            }
            for layer, version in versions.items()
        ]
        self.store.save_scores(pl.DataFrame(rows).with_columns(pl.col("issue_time").cast(pl.Datetime("us", "UTC"))))

    def in_charge(self) -> str | None:
        champion = self.registry.champion()
        return None if champion is None else champion.version

    def steps(self) -> list[str]:
        return [each.action.removeprefix("model.") for each in read_history(self.store, newest=99)]


@pytest.fixture(scope="module")
def processed(tmp_path_factory: pytest.TempPathFactory) -> Processed:
    return write_history(tmp_path_factory.mktemp("retrain") / "processed")


@pytest.fixture
def plant(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, processed: Processed) -> Plant:
    run = run_folder(tmp_path_factory)
    artefact = shutil.copytree(exported_in(run), tmp_path / "artefact")
    registry = Registry.open(copy_empty_registry(tmp_path / "registry", run=run))
    return Plant(tmp_path, artefact, registry, Store.open(tmp_path / "gridcast.db"), processed)


def drifted(*, fires: bool = True) -> DriftState:
    row = {"series_id": "system", "detector": "level", "score": 9.0, "limit": 4.0, "fires": fires}
    return DriftState(pl.DataFrame([row], schema=DRIFT_SCORES), START, "1")


def test_the_first_model_is_trained_judged_and_put_in_charge_and_the_next_day_there_is_nothing_to_do(
    plant: Plant,
) -> None:
    assert plant.step().outcome is Outcome.PROMOTED
    assert plant.in_charge() == "1"
    plant.now += DAY
    assert plant.step() == Done(
        Outcome.NOTHING, "", "the last training is of 2024-04-30, the next is due on 2024-05-28"
    )
    assert plant.steps() == ["retrain_started", "trained", "promoted"]


def test_a_challenger_comes_when_the_time_has_passed_and_takes_charge_if_it_is_better(plant: Plant) -> None:
    plant.step()
    plant.now += 28 * DAY
    plant.losses = {"2": 0.9}
    done = plant.step()
    assert (done.outcome, plant.in_charge()) == (Outcome.PROMOTED, "2")


def test_one_that_is_refused_is_neither_judged_nor_trained_again_before_the_next_is_due(plant: Plant) -> None:
    plant.step()
    plant.now += 28 * DAY
    plant.losses = {"2": 1.1}
    assert plant.step().outcome is Outcome.REFUSED
    plant.now += DAY
    assert plant.step().outcome is Outcome.NOTHING
    assert plant.in_charge() == "1"
    assert plant.registry.get("2").tags["verdict"] == "refused"


def test_drift_makes_the_next_training_due_but_not_right_after_the_last(plant: Plant) -> None:
    plant.step()
    plant.drift, plant.losses = drifted(), {"2": 0.9}
    plant.now += 6 * DAY
    assert plant.step(only_if_drifted=True).outcome is Outcome.NOTHING
    plant.now += DAY
    done = plant.step(only_if_drifted=True)
    assert done.outcome is Outcome.PROMOTED
    assert plant.registry.get("2").tags[TRAINED_BECAUSE] == "of drift: level of system"


def test_drift_that_no_longer_fires_makes_nothing_due(plant: Plant) -> None:
    plant.step()
    plant.drift = drifted(fires=False)
    plant.now += 8 * DAY
    assert plant.step(only_if_drifted=True).outcome is Outcome.NOTHING


def test_with_if_drifted_the_schedule_does_not_count(plant: Plant) -> None:
    plant.step()
    plant.now += 40 * DAY
    assert plant.step(only_if_drifted=True).outcome is Outcome.NOTHING


def test_days_with_too_few_good_readings_are_not_learned_from_and_told_of_once(plant: Plant, tmp_path: Path) -> None:
    bad = write_history(tmp_path / "bad")
    file = bad.directory / "readings" / "month=all" / "all.parquet"
    rows = pl.read_parquet(file)
    is_bad = pl.col("valid_time") >= bad.observed_until - 7 * DAY
    rows.with_columns(quality=pl.when(is_bad).then(pl.lit("bad")).otherwise("quality")).write_parquet(file)
    plant.processed = bad
    for _ in range(2):
        done = plant.step()
        assert done.outcome is Outcome.SKIPPED
        assert "75.0% of the readings of the last 28 days are good, expected 90%" in done.reason
    assert plant.steps() == ["retrain_skipped"]


def test_a_challenger_that_was_trained_but_not_judged_is_judged_by_the_next_call(plant: Plant) -> None:
    plant.interrupted = True
    with pytest.raises(KeyboardInterrupt):
        plant.step()
    assert plant.in_charge() is None
    plant.interrupted = False
    assert plant.step().outcome is Outcome.PROMOTED
    assert [each.version for each in plant.registry.versions()] == ["1"]


def promoted_twice(plant: Plant) -> None:
    plant.step()
    plant.now += 28 * DAY
    plant.losses = {"2": 0.9}
    assert plant.step().version == "2"


def test_a_champion_that_does_much_worse_than_the_one_before_is_sent_back_within_a_day(plant: Plant) -> None:
    promoted_twice(plant)
    plant.live(model=1.5, shadow=1.0)
    plant.now += DAY
    done = plant.step()
    assert done.outcome is Outcome.ROLLED_BACK
    assert "its live loss is 50% above that of the one before" in done.reason
    assert plant.in_charge() == "1"
    assert plant.registry.shadow() is None


def test_a_champion_that_does_a_little_worse_for_a_day_stays_and_its_watch_ends(plant: Plant) -> None:
    promoted_twice(plant)
    plant.live(model=1.3, shadow=1.0)
    plant.now += DAY
    assert plant.step().outcome is Outcome.NOTHING
    plant.live(model=1.05, shadow=1.0)
    plant.now += 3 * DAY
    assert plant.step().outcome is Outcome.ENDED
    assert plant.in_charge() == "2"
    assert plant.registry.shadow() is None


def test_a_champion_whose_artefact_was_damaged_is_sent_back(plant: Plant) -> None:
    promoted_twice(plant)
    damage(plant.registry.get("2"))
    done = plant.step()
    assert done.outcome is Outcome.ROLLED_BACK
    assert "its artefact is damaged" in done.reason
    assert plant.in_charge() == "1"


def damage(model: RegisteredModel) -> None:
    graph = model.directory / "model.tflite"
    content = bytearray(graph.read_bytes())
    content[len(content) // 2] ^= 1
    graph.write_bytes(content)


def test_nobody_is_sent_back_to_a_model_that_was_sent_back_itself(plant: Plant) -> None:
    promoted_twice(plant)
    plant.live(model=1.5, shadow=1.0)
    plant.now += DAY
    assert plant.step().outcome is Outcome.ROLLED_BACK
    damage(plant.registry.get("1"))
    plant.losses = {"3": 0.8}
    done = plant.step()
    assert (done.outcome, plant.in_charge()) == (Outcome.PROMOTED, "3")
    assert "champion 1 is damaged, and there is none to go back to" in plant.registry.get("3").tags[TRAINED_BECAUSE]


@pytest.mark.parametrize(
    ("shadow", "outcome", "champion"),
    [
        pytest.param(0.9, Outcome.PROMOTED, "2", id="better"),
        pytest.param(1.1, Outcome.REFUSED, "1", id="worse"),
    ],
)
def test_a_trial_is_decided_by_what_was_forecast_beside_the_champion(
    plant: Plant, shadow: float, outcome: Outcome, champion: str
) -> None:
    rules = replace(RULES, trial=3 * DAY)
    plant.step(rules)
    plant.now += 28 * DAY
    plant.losses = {"2": 0.9}
    assert plant.step(rules).outcome is Outcome.ON_TRIAL
    assert plant.in_charge() == "1"
    plant.live(model=1.0, shadow=shadow)
    plant.now += 2 * DAY
    assert plant.step(rules).outcome is Outcome.NOTHING
    plant.now += DAY
    assert plant.step(rules).outcome is outcome
    assert plant.in_charge() == champion


def test_a_trial_that_a_person_began_is_left_to_them(plant: Plant) -> None:
    plant.step()
    other = plant.train("by hand")
    office = plant.renewal(gate=Gate()).office
    plant.losses = {"2": 0.9}
    office.promote(other, gate=Gate(), compare=plant.compare, on_trial=True)
    plant.now += DAY
    assert plant.step().outcome is Outcome.NOTHING
    assert plant.registry.get("2").aliases == ("shadow",)


def test_a_challenger_waits_until_another_person_approves_of_it(plant: Plant) -> None:
    gate = Gate(approvals=1)
    assert plant.step(gate=gate).outcome is Outcome.WAITING
    assert plant.step(gate=gate).outcome is Outcome.WAITING
    office = Office(plant.registry, plant.store, plant.now, "anna")
    office.approve(plant.registry.get("1"), reason="looked at")
    assert plant.step(gate=gate).outcome is Outcome.PROMOTED


def test_a_dry_run_says_what_is_due_and_changes_nothing(plant: Plant) -> None:
    done = plant.renewal(gate=Gate(), dry_run=True).step()
    assert (done.outcome, done.reason) == (
        Outcome.NOTHING,
        "a challenger would be trained because no model has been trained yet",
    )
    assert plant.registry.versions() == []
    assert plant.steps() == []


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: RetrainRules(every=timedelta(hours=1)), id="every hour"),
        pytest.param(lambda: RetrainRules(judged_days=3), id="three days"),
        pytest.param(lambda: RetrainRules(max_live_worse=-0.1), id="better than itself"),
    ],
)
def test_impossible_rules_are_refused(make: Callable[[], RetrainRules]) -> None:
    with pytest.raises(UsageError, match="retraining: "):
        make()
