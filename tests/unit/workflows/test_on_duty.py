"""A stream takes a new champion over only if it can do the work, looks for one now and then, and says what it did."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from support.formula import Array, formula, formula_forecaster
from support.processed_history import HOUR, write_history

from gridcast.domain.errors import GridcastError
from gridcast.models.tensorflow.artefact import OUTPUT
from gridcast.models.tensorflow.serving import Forecaster
from gridcast.registry.catalogue import RegisteredModel
from gridcast.store.store import Store
from gridcast.workflows.forecasts.known import known_at
from gridcast.workflows.readings.processed import Processed
from gridcast.workflows.streaming.live_forecasts import Speakers, Version
from gridcast.workflows.streaming.on_duty import (
    NO_ANSWER,
    REFUSED,
    SHADOW_REFUSED,
    TOOK_OVER,
    OnDuty,
    OnTrial,
    require_forecast,
    speakers,
)

ISSUED = datetime(2024, 4, 10, 7, tzinfo=UTC)


def version(number: int) -> RegisteredModel:
    return RegisteredModel(str(number), Path(), ISSUED, (), {}, {}, {})


@dataclass
class Office:
    """A registry whose champion changes, models of which some cannot do the work, and a clock that is set by hand."""

    store: Store
    champion: RegisteredModel | None = None
    shadow: RegisteredModel | None = None
    bad: set[str] = field(default_factory=set)
    seconds: float = 0.0
    asked: int = 0
    proved: list[str] = field(default_factory=list)

    def look(self) -> RegisteredModel | None:
        self.asked += 1
        return self.champion

    def prove(self, model: RegisteredModel) -> None:
        self.proved.append(model.version)
        if model.version in self.bad:
            raise GridcastError("model.tflite: expected another checksum.")

    def on_duty(self) -> OnDuty:
        return OnDuty(version(1), self.look, self.prove, self.store, clock=lambda: self.seconds)

    def on_trial(self) -> OnTrial:
        return OnTrial(lambda: self.shadow, self.prove, self.store, clock=lambda: self.seconds)

    def events(self) -> list[str]:
        return self.store.events()["kind"].to_list()


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    with contextlib.closing(Store.open(tmp_path / "gridcast.db")) as store:
        yield Office(store, version(1))


def test_a_new_champion_that_can_do_the_work_takes_over(office: Office) -> None:
    duty = office.on_duty()
    assert duty().version == "1"
    office.champion, office.seconds = version(2), 2.0
    assert duty().version == "2"
    assert office.proved == ["2"]
    assert office.events() == [TOOK_OVER]


def test_it_looks_once_a_second_however_often_it_is_asked(office: Office) -> None:
    duty = office.on_duty()
    for tenth in range(35):
        office.seconds = tenth / 10
        duty()
    assert office.asked == 4


def test_one_that_cannot_is_refused_once_with_an_event_and_the_old_one_stays(office: Office) -> None:
    duty = office.on_duty()
    office.champion, office.bad = version(2), {"2"}
    for office.seconds in (2.0, 4.0, 6.0):
        assert duty().version == "1"
    assert office.proved == ["2"]
    assert office.events() == [REFUSED]
    assert "1 stays in service: model.tflite" in office.store.events()["message"][0]


def test_a_refused_one_is_tried_again_after_somebody_else_was_champion(office: Office) -> None:
    duty = office.on_duty()
    office.champion, office.bad, office.seconds = version(2), {"2"}, 2.0
    duty()
    office.champion, office.seconds = version(1), 4.0
    duty()
    office.champion, office.bad, office.seconds = version(2), set(), 6.0
    assert duty().version == "2"
    assert office.events() == [REFUSED, TOOK_OVER]


def test_a_registry_that_does_not_answer_changes_nothing_and_is_told_once(office: Office) -> None:
    def fails() -> RegisteredModel | None:
        raise GridcastError("registry: database is locked")

    duty = office.on_duty()
    answers, duty.champion = duty.champion, fails
    for office.seconds in (2.0, 4.0):
        assert duty().version == "1"
    duty.champion = answers
    office.champion, office.seconds = version(2), 6.0
    assert duty().version == "2"
    assert office.events() == [NO_ANSWER, TOOK_OVER]


def test_without_any_champion_the_old_one_stays(office: Office) -> None:
    duty = office.on_duty()
    office.champion, office.seconds = None, 2.0
    assert duty().version == "1"
    assert office.events() == []


def test_a_model_on_trial_speaks_beside_the_one_in_service_until_the_trial_ends(office: Office) -> None:
    duty, trial = office.on_duty(), office.on_trial()
    assert speakers(duty, trial) == Speakers(Version(Path(), "1"))
    office.shadow, office.seconds = version(2), 2.0
    assert speakers(duty, trial) == Speakers(Version(Path(), "1"), Version(Path(), "2"))
    office.shadow, office.seconds = None, 4.0
    assert speakers(duty, trial) == Speakers(Version(Path(), "1"))


def test_a_model_on_trial_that_takes_over_no_longer_speaks_beside_itself(office: Office) -> None:
    duty, trial = office.on_duty(), office.on_trial()
    office.shadow, office.champion, office.seconds = version(2), version(2), 2.0
    assert speakers(duty, trial) == Speakers(Version(Path(), "2"))


def test_a_model_that_cannot_do_the_work_is_not_put_on_trial_and_told_of_once(office: Office) -> None:
    trial = office.on_trial()
    office.shadow, office.bad = version(2), {"2"}
    for office.seconds in (2.0, 4.0):
        assert trial() is None
    assert office.events() == [SHADOW_REFUSED]
    office.shadow, office.seconds = version(3), 6.0
    found = trial()
    assert found is not None
    assert found.version == "3"


def test_a_trial_goes_on_while_the_registry_does_not_answer(office: Office) -> None:
    def fails() -> RegisteredModel | None:
        raise GridcastError("registry: database is locked")

    trial = office.on_trial()
    office.shadow, office.seconds = version(2), 2.0
    assert trial() == version(2)
    trial.shadow, office.seconds = fails, 4.0
    assert trial() == version(2)


@pytest.fixture(scope="module")
def processed(tmp_path_factory: pytest.TempPathFactory) -> Processed:
    return write_history(tmp_path_factory.mktemp("duty") / "processed", days=102)


def saying(processed: Processed, answer: Array) -> Forecaster:
    """A model whose quantiles are those of a formula plus something."""

    def changed(**inputs: Array) -> dict[str, Array]:
        return {OUTPUT: formula(**inputs)[OUTPUT] + answer}

    return replace(formula_forecaster(processed), _runner=changed)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        pytest.param([np.nan] * 7, "no numbers", id="no numbers"),
        pytest.param([0, 0, 0, np.inf, np.inf, np.inf, np.inf], "no numbers", id="infinite"),
        pytest.param([0, 900, 0, 0, 0, 0, 0], "cross", id="crossing"),
        pytest.param([9000] * 7, "expected at most 5 times", id="far too large"),
    ],
)
def test_a_forecast_that_is_none_is_refused(processed: Processed, answer: list[float], message: str) -> None:
    known = known_at(processed, ISSUED)
    model = saying(processed, np.array(answer, dtype=np.float32))
    with pytest.raises(GridcastError, match=message):
        require_forecast(model, known, issue_time=ISSUED, interval=HOUR, version="2")


def test_a_sound_one_passes_and_one_of_another_interval_does_not(processed: Processed) -> None:
    known, model = known_at(processed, ISSUED), formula_forecaster(processed)
    require_forecast(model, known, issue_time=ISSUED, interval=HOUR, version="2")
    with pytest.raises(GridcastError, match="interval of the readings"):
        require_forecast(model, known, issue_time=ISSUED, interval=HOUR / 4, version="2")
