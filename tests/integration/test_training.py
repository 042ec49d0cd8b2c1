"""Training that is split among workers, killed and tuned, through the real command line."""

import re
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import pytest
import yaml
from support.installation import GRIDCAST, Place

Copy = Callable[[Place], Place]
QUICK = {
    "GRIDCAST_MODEL__TRAINING__MEMBERS": "1",
    "GRIDCAST_MODEL__TRAINING__EPOCHS": "3",
    "GRIDCAST_MODEL__TRAINING__WINDOWS_PER_EPOCH": "512",
    "GRIDCAST_MODEL__TRAINING__PATIENCE": "3",
}
NOISELESS = {**QUICK, "GRIDCAST_MODEL__NETWORK__DROPOUT": "0", "GRIDCAST_MODEL__NETWORK__NOISE": "0"}


class Curve(NamedTuple):
    """What a training said and left."""

    held_out: dict[int, float]
    metrics: dict[str, float]


def curve(stderr: str, result: dict[str, Any]) -> Curve:
    epochs = re.findall(r"epoch (\d+)/3, held-out loss (\d\.\d+)", stderr)
    return Curve({int(epoch): float(loss) for epoch, loss in epochs}, result["metrics"])


def train(place: Place, *options: str, env: dict[str, str]) -> Curve:
    done = place.run("train", "--format", "json", *options, env=env)
    return curve(done.stderr, yaml.safe_load(done.stdout))


def interrupted_after_an_epoch(
    place: Place, *options: str, env: dict[str, str], strike: Callable[[int], None]
) -> tuple[int, str]:
    """Exit code and last words of a training that was struck, by its process id, after its first epoch."""
    command, words = [GRIDCAST, "train", *options], []
    with subprocess.Popen(
        command, cwd=place.directory, env=place.environment(env), stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            words.append(line)
            if "epoch 1/3" in line and len([each for each in words if "epoch 1/3" in each]) == 1:
                strike(process.pid)
    return process.returncode, words[-1]


def kill(pid: int) -> None:
    subprocess.run(["kill", "-9", str(pid)], check=True)


def kill_children(pid: int) -> None:
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        kill(int(child))


def unfinished(place: Place) -> Path:
    return place.directory / "data" / "training.unfinished.npz"


@pytest.fixture(scope="module")
def alone(promoted: Place, tmp_path_factory: pytest.TempPathFactory) -> Curve:
    """One process, without a break."""
    place = Place(shutil.copytree(promoted.directory, tmp_path_factory.mktemp("alone") / "copy"))
    return train(place, env=NOISELESS)


def test_two_workers_learn_as_one_does(promoted: Place, alone: Curve, copy_of: Copy) -> None:
    together = train(copy_of(promoted), "--workers", "2", env=NOISELESS)
    assert together.held_out.keys() == alone.held_out.keys() == {1, 2, 3}
    np.testing.assert_allclose(list(together.held_out.values()), list(alone.held_out.values()), atol=2e-4)
    for name in ("held_out_loss", "train_loss"):
        assert together.metrics[name] == pytest.approx(alone.metrics[name], rel=1e-4)


def test_a_training_that_was_killed_goes_on_to_the_same_model(promoted: Place, alone: Curve, copy_of: Copy) -> None:
    place = copy_of(promoted)
    code, _ = interrupted_after_an_epoch(place, env=NOISELESS, strike=kill)
    assert code == -signal.SIGKILL
    assert unfinished(place).exists()

    rest = train(place, env=NOISELESS)

    assert max(rest.held_out) == 3
    assert 1 not in rest.held_out or rest.held_out[1] == alone.held_out[1]
    for name in ("held_out_loss", "train_loss"):
        assert rest.metrics[name] == pytest.approx(alone.metrics[name], rel=1e-6)
    assert not unfinished(place).exists()


def test_when_a_worker_is_killed_the_others_stop_and_say_so(promoted: Place, alone: Curve, copy_of: Copy) -> None:
    place = copy_of(promoted)
    code, said = interrupted_after_an_epoch(place, "--workers", "2", env=NOISELESS, strike=kill_children)
    assert code == 1
    assert "worker 1 ended with exit code -9" in said
    assert unfinished(place).exists()

    rest = train(place, env=NOISELESS)

    assert rest.metrics["held_out_loss"] == pytest.approx(alone.metrics["held_out_loss"], rel=1e-4)


def test_a_cluster_this_process_has_no_place_in_is_refused(promoted: Place, copy_of: Copy) -> None:
    place = copy_of(promoted)
    told = '{"cluster": {"worker": ["127.0.0.1:1", "127.0.0.1:2"]}, "task": {"type": "worker", "index": 2}}'
    done = place.run("train", env={**QUICK, "TF_CONFIG": told}, code=2)
    assert "expected a cluster of workers" in done.stderr
    both = place.run("train", "--workers", "2", env={**QUICK, "TF_CONFIG": told.replace("2}}", "1}}")}, code=2)
    assert "--workers 2 although TF_CONFIG is set" in both.stderr


def test_tuning_goes_on_after_running_out_of_time_and_prints_settings_to_paste(promoted: Place, copy_of: Copy) -> None:
    place = copy_of(promoted)
    planned = place.json("tune", "--dry-run", env=QUICK)
    assert not (place.directory / "data" / "tuning").exists()
    assert {"network.width", "training.learning_rate"} <= {each["setting"] for each in planned["space"]}

    hurried = place.json("tune", "--trials", "2", "--time", "PT1S", env=QUICK)
    assert [each["end"] for each in hurried["trials"]] == ["interrupted"]
    assert hurried["best"] is None

    tuned = place.json("tune", "--trials", "2", env=QUICK)
    assert tuned["study"] == hurried["study"] == planned["study"]
    assert sorted(each["end"] for each in tuned["trials"]) == ["complete", "complete", "interrupted"]
    assert tuned["held_out_loss"] <= tuned["present_held_out_loss"]
    assert yaml.safe_load(tuned["yaml"])["network"]["width"] == tuned["best"]["network.width"]
    kept = place.directory / "data" / "tuning" / tuned["study"]
    assert pl.read_parquet(kept / "trials.parquet").to_dicts() == tuned["trials"]
    assert (kept / "tuned.yaml").read_text().strip() == tuned["yaml"]

    again = place.json("tune", "--trials", "2", env=QUICK)
    assert (again["begun"], again["trials"]) == (0, tuned["trials"])
