"""The search space, and trials that outlive the process."""

from dataclasses import fields
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from gridcast.domain.errors import GridcastError
from gridcast.ingestion.locks import tuning_alone
from gridcast.models.tensorflow.spec import NetworkSize, TrainSpec
from gridcast.settings.model import ModelSettings
from gridcast.workflows.training.recipe import Recipe
from gridcast.workflows.training.search_space import SPACE, Range, space_around, to_yaml, values_of, with_values
from gridcast.workflows.training.tuning_study import End, Study, opened, values_of_trial

RECIPE = Recipe(size=NetworkSize(), training=TrainSpec(), horizon=timedelta(hours=48))
SMALL = {"network.width": Range(low=16, high=64, is_log=True, multiple=16), "network.dropout": Range(low=0, high=0.3)}


def loss_of(values: dict[str, float]) -> float:
    return abs(values["network.width"] - 48) / 48 + values["network.dropout"]


def in_memory() -> Study:
    return Study.of(None, name="study", space=SMALL, seed=3)


def go_on(study: Study, *, until: int) -> pl.DataFrame:
    """The table of a study once it has that many trials."""
    study.take_up({"network.width": 16, "network.dropout": 0.1})
    while study.ended() < until:
        trial = study.ask()
        study.tell(trial, End.COMPLETE, held_out_loss=loss_of(values_of_trial(trial)), seconds=1.0)
    return study.table()


def go_on_in(path: Path, *, until: int) -> pl.DataFrame:
    with opened(path, name="study", space=SMALL, seed=3) as study:
        return go_on(study, until=until)


def test_every_searched_setting_exists_and_its_default_lies_inside() -> None:
    known = {f"network.{each.name}" for each in fields(NetworkSize)} | {
        f"training.{each.name}" for each in fields(TrainSpec)
    }
    assert set(SPACE) <= known
    assert space_around(RECIPE) == dict(SPACE)


def test_the_space_has_room_for_settings_in_force_outside_of_it() -> None:
    odd = with_values(RECIPE, {"network.width": 500, "training.learning_rate": 0.1})
    space = space_around(odd)
    assert space["network.width"].high == 500
    assert space["training.learning_rate"].high == 0.1
    assert space["network.blocks"] == SPACE["network.blocks"]


@given(st.sampled_from(sorted(SPACE)), st.floats(0, 1))
def test_what_is_rounded_stays_inside_and_is_what_the_settings_take(name: str, place: float) -> None:
    each = SPACE[name]
    value = each.rounded(each.low + place * (each.high - each.low))
    assert each.low <= value <= each.high
    assert values_of(with_values(RECIPE, {name: value}))[name] == value
    assert isinstance(value, int) == (each.multiple is not None)


def test_the_best_settings_are_printed_as_the_configuration_reads_them() -> None:
    values = {**values_of(RECIPE), "network.width": 64, "training.learning_rate": 1.23e-05}
    text = to_yaml(values, present=values_of(RECIPE))
    read = ModelSettings.model_validate(yaml.safe_load(text))
    assert values_of(read.recipe) == values
    assert [line for line in text.splitlines() if "# was" in line] == [
        "  width: 64  # was 128",
        "  learning_rate: 1.23e-05  # was 0.002",
    ]


def test_a_study_begins_with_the_settings_in_force_and_sorts_the_best_first() -> None:
    table = go_on(in_memory(), until=12)
    assert table.filter(trial=0).select(list(SMALL)).rows() == [(16, 0.1)]
    assert table["held_out_loss"].is_sorted()
    assert table["trial"].n_unique() == 12
    assert table["network.width"].is_in([16, 32, 48, 64]).all()


def test_a_run_that_was_interrupted_ends_as_one_that_was_not(tmp_path: Path) -> None:
    path = tmp_path / "tuning" / "study.db"
    for until in (1, 2):
        parts = go_on_in(path, until=until)
    assert parts.equals(go_on(in_memory(), until=2))
    assert go_on_in(path, until=1).equals(parts), "nothing is left to do"
    assert b"\x80\x04\x95" not in path.read_bytes(), "nothing is pickled"


def test_a_trial_left_running_by_a_killed_process_is_tried_again() -> None:
    study = in_memory()
    go_on(study, until=2)
    lost = values_of_trial(study.ask())
    table = go_on(study, until=3)
    assert table.height == 3
    assert table.filter(trial=table["trial"].max()).select(list(SMALL)).row(0, named=True) == lost


@pytest.mark.parametrize(
    ("end", "is_tried_again"), [(End.INTERRUPTED, True), (End.DIVERGED, False), (End.PRUNED, False)]
)
def test_only_a_trial_that_ran_out_of_time_is_tried_again(end: End, *, is_tried_again: bool) -> None:
    study = in_memory()
    trial = study.ask()
    study.tell(trial, end, seconds=2.0)
    assert study.ended() == (0 if is_tried_again else 1)
    assert (values_of_trial(study.ask()) == values_of_trial(trial)) is is_tried_again
    assert study.table()["end"].to_list() == [end.value]


def test_a_trial_worse_than_most_at_the_same_point_is_given_up() -> None:
    study = in_memory()

    def is_given_up(loss: float) -> bool:
        trial = study.ask()
        trial.report(loss, 1)
        given_up = trial.should_prune()
        end, result = (End.PRUNED, None) if given_up else (End.COMPLETE, loss)
        study.tell(trial, end, held_out_loss=result, seconds=1.0)
        return given_up

    assert [is_given_up(loss) for loss in (1.0, 1.1, 1.2, 1.3)] == [False] * 4, "there is nothing to compare with"
    assert [is_given_up(loss) for loss in (1.4, 1.05)] == [True, False]


def test_a_file_that_is_no_study_is_named(tmp_path: Path) -> None:
    path = tmp_path / "study.db"
    path.write_text("not a database at all")
    with pytest.raises(GridcastError, match=r"study\.db: begins with"), opened(path, name="a", space=SMALL, seed=0):
        pass


def test_two_processes_do_not_tune_in_one_folder(tmp_path: Path) -> None:
    with (
        tuning_alone(tmp_path),
        pytest.raises(GridcastError, match="another process tunes here"),
        tuning_alone(tmp_path),
    ):
        pass
    with tuning_alone(tmp_path):
        pass
