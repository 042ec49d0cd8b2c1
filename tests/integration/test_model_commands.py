"""What a person asks of the models of an installation, through the real commands."""

import shutil
from collections.abc import Callable

import pytest
from support.installation import Place

REFUSED = {"GRIDCAST_MODEL__GATE__MIN_SKILL_VS_NAIVE": "0.99"}


@pytest.fixture(scope="module")
def place(promoted: Place, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """An installation whose second model was refused by the gate when it retrained."""
    here = Place(shutil.copytree(promoted.directory, tmp_path_factory.mktemp("models") / "place"))
    assert "the next is due on" in here.json("retrain")["reason"]
    said = here.run("retrain", "--now", "--actor", "timer", env=REFUSED, code=3)
    assert "model 2 is not promoted: its skill against the weekly naive is" in said.stderr
    return here


def test_the_list_says_who_is_in_charge_and_why_each_was_trained(place: Place) -> None:
    models = place.json("model", "list")["models"]
    assert [(each["version"], each["aliases"]) for each in models] == [("1", ["champion"]), ("2", ["challenger"])]
    assert models[1]["tags"]["trained_because"] == "it was asked for"
    assert "1 is in charge" in place.run("model", "list").stdout


def test_a_model_is_shown_with_lineage_settings_and_measurements(place: Place) -> None:
    shown = place.json("model", "show", "champion")
    assert shown["version"] == "1"
    assert shown["tags"].keys() >= {"data_fingerprint", "git_revision", "trained_until", "promoted_because", "recipe"}
    assert shown["params"]["training.members"] == "2"
    assert "model '9' is not registered" in place.run("model", "show", "9", code=1).stderr


def test_the_difference_of_two_models_names_what_they_do_not_share(place: Place) -> None:
    rows = place.json("model", "diff", "champion", "2")["differences"]
    by_name = {each["name"]: each for each in rows}
    assert by_name["unseen_from"]["a"] > by_name["unseen_from"]["b"]
    assert "training.seed" not in by_name


def test_the_history_tells_every_step_and_the_log_proves_it_whole(place: Place) -> None:
    steps = place.json("model", "history")["steps"]
    assert [(each["step"], each["model"], each["actor"]) for each in steps[1:]] == [
        ("retrain_started", "", "timer"),
        ("trained", "2", "timer"),
        ("promotion_refused", "2", "timer"),
    ]
    assert steps[0]["step"] == "promoted"
    assert [each["step"] for each in place.json("model", "history", "--version", "1")["steps"]] == ["promoted"]
    place.run("audit", "verify")


def test_a_refused_challenger_is_left_alone_until_the_next_training_is_due(place: Place) -> None:
    assert place.json("retrain")["outcome"] == "nothing to do"


def test_a_champion_is_made_again_from_what_was_recorded(place: Place) -> None:
    again = place.json("model", "reproduce", "champion")
    assert again["largest_difference"] <= 0.005
    assert {each["measure"] for each in again["measures"]} >= {"pinball_model", "coverage_80", "held_out_loss"}


def test_a_model_whose_data_were_changed_since_is_not_made_again(
    promoted: Place, copy_of: Callable[[Place], Place]
) -> None:
    place = copy_of(promoted)
    (snapshot,) = (place.directory / "data" / "snapshots").iterdir()
    file = snapshot / "manifest.json"
    content = file.read_bytes()
    file.unlink()
    file.write_bytes(content + b" ")
    assert "manifest.json is not what was kept" in place.run("model", "reproduce", "1", code=1).stderr
    shutil.rmtree(snapshot)
    assert "not there; expected the clean history" in place.run("model", "reproduce", "1", code=1).stderr


def test_the_same_person_cannot_approve_twice(promoted: Place, copy_of: Callable[[Place], Place]) -> None:
    place = copy_of(promoted)
    assert place.json("model", "approve", "1", "--actor", "anna", "--reason", "looked at it")["changed"]
    assert "anna has approved of it already" in place.run("model", "approve", "1", "--actor", "anna", code=2).stderr
    assert "no model is on trial" in place.run("model", "withdraw", code=1).stderr
    assert "no model to go back to" in place.run("model", "rollback", code=1).stderr
