"""A model canary, its promotion and its rollback: `gridcast deploy` on a test cluster whose Jobs run the real commands,
and the test after a deployment against the real service."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from support.installation import GRIDCAST
from support.kube_api import Api, running_api
from support.kube_installation import PRODUCTION, Terminal, make_ready, version
from support.plant import AS_ISSUED, HORIZON, JUDGED_DAYS, Plant
from support.served import Served, served

from gridcast.domain.roles import Role
from gridcast.models.tensorflow.spec import NetworkSize, TrainSpec
from gridcast.registry.catalogue import CHAMPION, read_catalogue, with_alias
from gridcast.registry.mlflow_registry import Registry
from gridcast.store import audit
from gridcast.store.store import Store
from gridcast.workflows.judging.backtest import judging_origins
from gridcast.workflows.training.recipe import Recipe
from gridcast.workflows.training.train_model import train_model

SETTINGS = {
    "model_config.yaml": {
        "horizon": "PT12H",
        "weather": {"known": "as_issued"},
        "backtest": {"days": JUDGED_DAYS, "local_hour": 0},
        "gate": {"min_skill_vs_naive": -100.0, "coverage_80": [0.0, 1.0], "max_worse_at_level": 100.0},
    }
}


@dataclass
class Site:
    """An installation: its service, its data, and the commands that Jobs of the cluster run on it."""

    served: Served
    folder: Path
    issues_after_promotion: bool = True

    @property
    def champion(self) -> str:
        found = with_alias(read_catalogue(self.folder / "registry"), CHAMPION)
        assert found is not None
        return found.version

    def aliases(self, number: str) -> tuple[str, ...]:
        (found,) = (each for each in read_catalogue(self.folder / "registry") if each.version == number)
        return found.aliases

    def steps(self) -> list[str]:
        with closing(Store.open(self.folder / "gridcast.db")) as store:
            return [each.action for each in audit.newest(store, limit=100, prefix="model.")]

    def run(self, command: list[str]) -> tuple[int, str]:
        """What a container of a Job does; a stream would issue with a new champion, here the command does."""
        code, log = self._gridcast(*command[1:])
        is_in_charge = command[1:3] == ["model", "promote"] and "--shadow" not in command and code == 0
        if is_in_charge and self.issues_after_promotion:
            issued, told = self._gridcast("forecast")
            assert issued == 0, told
        return code, log

    def _gridcast(self, *words: str) -> tuple[int, str]:
        outside = {name: value for name, value in os.environ.items() if not name.startswith("GRIDCAST_")}
        done = subprocess.run(
            [GRIDCAST, *words], cwd=self.folder.parent, env=outside, capture_output=True, text=True, check=False
        )
        return done.returncode, done.stdout + done.stderr


def train_a_poor_one(plant: Plant, folder: Path) -> str:
    """The version of a model that has hardly learned, put in charge."""
    registry = Registry.open(folder / "registry")
    model, _ = train_model(
        plant.processed,
        registry,
        recipe=Recipe(
            size=NetworkSize(width=4, blocks=1, encoder_width=4, summary=2, embedding=2),
            training=TrainSpec(members=1, epochs=1, windows_per_epoch=64, batch_size=64, held_out_blocks=2),
            horizon=HORIZON,
            weather=AS_ISSUED,
        ),
        unseen_from=judging_origins(plant.processed, horizon=HORIZON, days=JUDGED_DAYS, local_hour=0)[0],
        scratch=folder / "scratch",
        on_progress=lambda _: None,
    )
    registry.set_alias(CHAMPION, model.version)
    return model.version


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    with running_api(tmp_path) as found:
        yield found


@pytest.fixture
def site(plant: Plant, tmp_path: Path) -> Iterator[Site]:
    folder = tmp_path / "site/data"
    (tmp_path / "site/config").mkdir(parents=True)
    for name, settings in SETTINGS.items():
        (tmp_path / "site/config" / name).write_text(yaml.safe_dump(settings))
    with served(plant, folder, folder / "gridcast.db") as found:
        yield Site(found, folder)


@pytest.fixture
def terminal(api: Api, site: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Terminal:
    make_ready(api)
    monkeypatch.setenv("GRIDCAST_API_KEY", site.served.keys[Role.VIEWER])
    return Terminal(api, monkeypatch, capsys)


def test_a_canary_forecasts_beside_the_champion_takes_over_and_can_be_taken_back(
    api: Api, site: Site, terminal: Terminal, plant: Plant
) -> None:
    terminal.apply(PRODUCTION, "--url", site.served.url)
    poor, better = train_a_poor_one(plant, site.folder), plant.model.version
    api.cluster.run = site.run

    told = terminal.type("canary", better)
    assert f"canary of model {better} started" in told
    assert "shadow" in site.aliases(better)
    assert site.champion == poor

    terminal.type("canary", better, "--abort")
    assert "shadow" not in site.aliases(better)

    terminal.type("canary", better)
    told = terminal.type("canary", better, "--promote", "--url", site.served.url, "--test-within", "PT30S")
    assert f"with model {better}" in told
    assert site.champion == better

    terminal.type("canary", better, "--abort")
    assert site.champion == poor


def test_what_is_not_on_trial_cannot_be_aborted(api: Api, site: Site, terminal: Terminal, plant: Plant) -> None:
    terminal.apply(PRODUCTION, "--url", site.served.url)
    train_a_poor_one(plant, site.folder)
    api.cluster.run = site.run
    told = terminal.type("canary", plant.model.version, "--abort", code=1)
    assert "neither on trial nor in charge" in told


def test_a_canary_that_the_service_does_not_take_to_is_rolled_back(
    api: Api, site: Site, terminal: Terminal, plant: Plant
) -> None:
    terminal.apply(PRODUCTION, "--url", site.served.url)
    poor, better = train_a_poor_one(plant, site.folder), plant.model.version
    site.run(["gridcast", "forecast"])
    site.issues_after_promotion = False
    api.cluster.run = site.run
    told = terminal.type("canary", better, "--promote", "--url", site.served.url, "--test-within", "PT1S", code=1)
    assert f"is made with model {poor} and not {better}" in told
    assert f"Rolled back: model {poor} is champion again" in told
    assert site.champion == poor
    assert "model.promoted" in site.steps()
    assert "model.rolled_back" in site.steps()


def test_a_canary_that_is_broken_off_while_it_is_tested_is_rolled_back(
    api: Api, site: Site, terminal: Terminal, plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    terminal.apply(PRODUCTION, "--url", site.served.url)
    poor, better = train_a_poor_one(plant, site.folder), plant.model.version
    api.cluster.run = site.run
    monkeypatch.setattr("gridcast.deploy.smoke.ask", interrupted)
    told = terminal.type("canary", better, "--promote", "--url", site.served.url, code=1)
    assert f"broken off. Rolled back: model {poor} is champion again" in told
    assert site.champion == poor


def test_a_canary_that_the_gate_refuses_changes_nothing(api: Api, site: Site, terminal: Terminal, plant: Plant) -> None:
    terminal.apply(PRODUCTION, "--url", site.served.url)
    poor = train_a_poor_one(plant, site.folder)
    Registry.open(site.folder / "registry").set_alias(CHAMPION, plant.model.version)
    api.cluster.run = site.run
    told = terminal.type("canary", poor, code=3)
    assert f"model {poor} is not promoted" in told
    assert site.champion == plant.model.version


def test_the_test_after_a_deployment_asks_the_real_service_for_a_forecast(site: Site, terminal: Terminal) -> None:
    told = terminal.apply(PRODUCTION, "--url", site.served.url, "--series", "system")
    assert "intervals of system, issued at" in told
    assert f"with model {site.served.plant.model.version}" in told


def test_without_a_key_only_health_is_asked_for_and_it_says_so(
    site: Site, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GRIDCAST_API_KEY")
    told = terminal.apply(PRODUCTION, "--url", site.served.url)
    assert "healthy" in told
    assert "without GRIDCAST_API_KEY no forecast was asked for" in told
    assert "expected that of a viewer" in terminal.type("canary", "1", "--promote", "--url", site.served.url, code=2)


def test_a_release_whose_service_fails_the_test_is_rolled_back(
    api: Api, site: Site, terminal: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal.apply(PRODUCTION, "--url", site.served.url)
    monkeypatch.setenv("GRIDCAST_API_KEY", "gc_wrong")
    told = terminal.apply(version(tmp_path, "0.2.0"), "--url", site.served.url, code=1)
    assert "401; expected a key of a viewer" in told
    (container,) = api.cluster.find("deployments", "gridcast-api")["spec"]["template"]["spec"]["containers"]
    assert container["image"].endswith(":0.1.0")
    assert terminal.json("status")["release"] == 1


def test_a_service_that_does_not_answer_fails_the_test_in_time(terminal: Terminal) -> None:
    told = terminal.apply(PRODUCTION, "--url", "http://127.0.0.1:9", "--test-within", "PT1S", code=1)
    assert "/v1/health does not answer" in told
    assert "Release 1 is the first" in told
