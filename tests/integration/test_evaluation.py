"""Judging through the command line: broken down, on new data, against others, and trained again and again."""

import shutil
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from support.installation import Place

from gridcast.domain.dimensions import Dimension

Copy = Callable[[Place], Place]
QUICK = {f"GRIDCAST_MODEL__TRAINING__{name}": value for name, value in {"EPOCHS": "1", "MEMBERS": "1"}.items()}


@pytest.fixture(scope="module")
def judged(promoted: Place, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Judged with both kinds of weather. Not to be changed: copy it."""
    place = Place(shutil.copytree(promoted.directory, tmp_path_factory.mktemp("judged") / "copy"))
    place.run("backtest")
    place.run("backtest", "--weather", "as_issued")
    return place


def kept(place: Place, *path: str) -> Path:
    return place.directory.joinpath("data", *path)


def test_a_breakdown_by_local_hour_is_printed_and_all_are_kept(judged: Place, copy_of: Copy) -> None:
    result = copy_of(judged).json("backtest", "--by", "hour")

    assert result["reused"]
    assert [row["hour"] for row in result["breakdown"][::3]] == [f"{hour:02d}" for hour in range(24)]
    assert sum(row["n"] for row in result["breakdown"]) == 3 * result["n"]
    assert all(row["mase"] > 0 for row in result["breakdown"])
    scores = pl.read_parquet(kept(judged, "backtest", "1", "scores.parquet"))
    assert set(scores["dimension"]) == {"all", *Dimension}
    assert set(scores.filter(dimension="holiday")["value"]) <= {"ordinary day", "holiday"}


def test_ex_post_and_ex_ante_are_kept_apart(judged: Place, copy_of: Copy) -> None:
    place = copy_of(judged)
    kinds = {
        name: pl.read_parquet(kept(place, "backtest", name, "points.parquet"))["weather"].unique().to_list()
        for name in ("1", "1_as_issued")
    }
    assert kinds == {"1": ["observed"], "1_as_issued": ["as_issued"]}
    ex_ante = place.json("backtest", "--weather", "as_issued")
    assert ex_ante["reused"]
    assert ex_ante["degraded_share"] == 1.0, "there is no weather forecast among the temperatures"
    assert place.json("backtest")["degraded_share"] == 0.0


def test_an_evaluation_of_the_days_after_training_equals_the_backtest(judged: Place, copy_of: Copy) -> None:
    place = copy_of(judged)
    evaluated, backtested = place.json("evaluate", "champion", "--by", "level"), place.json("backtest", "--by", "level")

    same = ("n", "pinball_model", "pinball_linear", "coverage_80", "breakdown", "origins", "first_origin")
    assert {name: evaluated[name] for name in same} == {name: backtested[name] for name in same}
    assert (place.directory / evaluated["kept"] / "points.parquet").is_file()

    shutil.copytree(kept(place, "processed"), place.directory / "other")
    manifest = place.directory / "other" / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"fingerprint": "', '"fingerprint": "other'))
    other = place.json("evaluate", "1", "--data", "other", "--from", "2008-06-20T00:00Z", "--to", "2008-06-27T00:00Z")
    assert (other["origins"], other["data"]) == (5, "other")
    assert Path(other["kept"]).parts[:3] != Path(evaluated["kept"]).parts[:3]


def test_an_evaluation_of_days_the_model_has_seen_is_refused(promoted: Place) -> None:
    refused = promoted.run("evaluate", "1", "--from", "2008-05-01T00:00Z", code=2)
    assert "its error on what it has seen says nothing" in refused.stderr


def test_a_comparison_says_how_sure_it_is_and_stands_in_the_report(judged: Place, copy_of: Copy) -> None:
    place = copy_of(judged)

    result = place.json("compare", "champion", "naive", "--block", "P3D", "--to", "pairs.csv")
    page = (place.directory / place.json("report")["report"]).read_text()

    (pair,) = (each for each in result["pairs"] if each["metric"] == "pinball_mw")
    assert (pair["a"], pair["b"], pair["days"], pair["n"]) == ("model 1", "naive", 13, 13 * 48 * 4)
    assert pair["low"] < pair["difference"] < pair["high"]
    assert pair["difference"] == pytest.approx(pair["score_a"] - pair["score_b"])
    assert pl.read_csv(place.directory / "pairs.csv").height == len(result["pairs"])
    assert "model 1 against naive" in page
    assert "Loss and coverage by hour" in page
    assert ">as issued</td>" in page, "the other judgement of the champion"

    short = place.run("compare", "1", "naive", code=1)
    assert "13 days hold fewer than 4 blocks of 7 days" in short.stderr
    alone = place.run("compare", "1", "champion", code=2)
    assert "expected two or more different ones" in alone.stderr


def test_trained_again_for_each_fold_and_kept_apart(promoted: Place, copy_of: Copy) -> None:
    place = copy_of(promoted)
    before = {each.name for each in kept(place, "backtest").iterdir()}

    plan = place.json("backtest", "--refit", "P7D", "--dry-run", env=QUICK)
    result = place.json("backtest", "--refit", "P7D", env=QUICK)
    again = place.json("backtest", "--refit", "P7D", "--by", "weekday", env=QUICK)

    assert [fold["origins"] for fold in plan["folds"]] == [7, 6]
    assert "2 trainings of about" in plan["summary"]
    assert result["folds"] == plan["folds"]
    assert (result["n"], result["model_version"], result["reused"]) == (13 * 48 * 4, "refit_P7D", False)
    assert again["reused"]
    points = pl.read_parquet(kept(place, "backtest", "refit_P7D", "points.parquet"))
    begins = points.group_by("fold").agg(pl.col("issue_time").min()).sort("fold")["issue_time"]
    assert [each.isoformat() for each in begins] == [fold["train_until"] for fold in plan["folds"]]
    assert {each.name for each in kept(place, "backtest").iterdir()} == before | {"refit_P7D"}
    assert place.json("status")["models"] == promoted.json("status")["models"]


def test_a_schedule_that_is_not_whole_days_or_has_a_model_is_refused(promoted: Place) -> None:
    for arguments in (("--refit", "PT12H"), ("--refit", "P7D", "--model", "1")):
        refused = promoted.run("backtest", *arguments, code=2)
        assert "expected" in refused.stderr
