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
from gridcast.store.store import Store
from gridcast.workflows.backtest import Backtest
from gridcast.workflows.gate import Gate
from gridcast.workflows.judge_model import Comparison
from gridcast.workflows.promote_model import Promotion, promote_model, roll_back
from gridcast.workflows.weather_use import WeatherKnown

DEFAULT = Gate()
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
        dry_run: bool = False,
    ) -> Promotion:
        def compare(challenger: RegisteredModel, champion: RegisteredModel | None) -> Comparison:
            return Comparison(losses(challenger), None if champion is None else losses(champion), "")

        return promote_model(
            self.registry, self.store, candidate=candidate, gate=gate, compare=compare, actor="anna", dry_run=dry_run
        )


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

    told = "2.000 MW of champion 1 (difference -1.000 MW, with 95 % confidence -1.000 to -1.000 MW)"
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
        roll_back(plant.registry, plant.store, actor="anna")
    plant.promote(second, losses=lambda model: measured(model, pinball=2.0 if model.version == "1" else 1.0))

    would = roll_back(plant.registry, plant.store, actor="anna", dry_run=True)
    assert (would.version, would.changed) == ("1", False)
    assert plant.champion() == "2"
    done = roll_back(plant.registry, plant.store, actor="anna", reason="too low at night")
    assert (done.version, done.previous, done.changed) == ("1", "2", True)
    assert plant.champion() == "1"
    assert plant.store.events()["message"][-1] == "model 1 by anna instead of 2: too low at night"
    assert roll_back(plant.registry, plant.store, actor="anna").version == "2"
    assert plant.store.events()["kind"].to_list() == ["promoted", "promoted", "rolled_back", "rolled_back"]
