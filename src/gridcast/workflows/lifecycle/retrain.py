"""The model renews itself: trained again when it is due, judged, tried out, put in charge, watched, sent back.

Every call takes the next step from what the registry and the store say, so it may be made as often as one likes, and
again after it was interrupted.
"""

import enum
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple

import polars as pl

from gridcast.domain.errors import GateRefusedError, GridcastError
from gridcast.domain.tables import Quality
from gridcast.models.tensorflow.serving import Forecaster
from gridcast.registry.catalogue import CHALLENGER, RegisteredModel, with_alias
from gridcast.workflows.judging.judge_model import Comparison
from gridcast.workflows.lifecycle.gate import Gate
from gridcast.workflows.lifecycle.live_comparison import compare_live
from gridcast.workflows.lifecycle.model_history import Step, read_history, record
from gridcast.workflows.lifecycle.promote_model import (
    ON_TRIAL_SINCE,
    PROMOTED_AT,
    SENT_BACK_BECAUSE,
    ApprovalMissingError,
    Office,
)
from gridcast.workflows.lifecycle.retrain_rules import RetrainRules
from gridcast.workflows.readings.processed import Processed
from gridcast.workflows.training.train_model import KNOWN_UNTIL, TRAINED_BECAUSE
from gridcast.workflows.watching.drift_state import DriftState
from gridcast.workflows.watching.search_drift import firing

VERDICT: Final = "verdict"
"""Tag: what became of a version that was trained again."""
ON_TRIAL_FOR: Final = "on_trial_for_days"
"""Tag: after how many days its trial is decided."""
_REFUSED, _WAITS, _PASSED = "refused", "waits for approval", "passed"
_ENOUGH: Final = timedelta(days=1)
"""Of live forecasts before two models are compared."""


class Outcome(enum.StrEnum):
    """What a call has done."""

    NOTHING = "nothing to do"
    SKIPPED = "skipped"
    REFUSED = "refused"
    WAITING = "waiting"
    ON_TRIAL = "on trial"
    PROMOTED = "promoted"
    ROLLED_BACK = "rolled back"
    ENDED = "trial ended"


class Done(NamedTuple):
    """The outcome, the version it is about, '' if none, and why."""

    outcome: Outcome
    version: str
    reason: str


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Renewal:
    """One installation's models over time.

    Attributes:
        office: decides who is in charge.
        processed: the clean history.
        rules: when, and how long.
        gate: what a challenger must reach.
        train: trains a challenger on all but the judged days; told why.
        compare: judges a challenger and the champion on the judged days.
        drift: what the newest search for drift found.
    """

    office: Office
    processed: Processed
    rules: RetrainRules
    gate: Gate
    train: Callable[[str], RegisteredModel]
    compare: Callable[[RegisteredModel, RegisteredModel | None], Comparison]
    drift: DriftState | None

    def step(self, *, only_if_drifted: bool = False, is_forced: bool = False) -> Done:
        """Take the next step."""
        champion = self.office.registry.champion()
        damage = "" if champion is None else _damage_of(champion)
        begun = None if champion is None else self._watch(champion, damage=damage) or self._decide_trial(champion)
        if begun is not None:
            return begun
        forced = "it was asked for" if is_forced else ""
        if champion is not None and damage:
            forced = (
                forced or f"the artefact of champion {champion.version} is damaged, and there is none to go back to"
            )
        return self._judge_again() or self._renew(forced, only_if_drifted=only_if_drifted)

    def _watch(self, champion: RegisteredModel, *, damage: str) -> Done | None:
        """Hold a new champion against the former one; send back one whose artefact is damaged."""
        registry, now = self.office.registry, self.office.known_until
        previous, shadow = registry.previous(), registry.shadow()
        if damage:
            return self._roll_back(f"its artefact is damaged: {damage}", champion)
        if previous is None or shadow is None or shadow.version != previous.version:
            return None
        since = datetime.fromisoformat(champion.tags[PROMOTED_AT])
        live = compare_live(self.office.store, model=champion.version, shadow=shadow.version, since=since)
        if live is not None and now - since >= _ENOUGH and live.worse_by > self.rules.worse_after(now - since):
            reason = f"its live loss is {live.worse_by:.0%} above that of the one before: {live.in_words}"
            return self._roll_back(reason, champion)
        if now - since < self.rules.watch:
            told = "not scored yet" if live is None else live.in_words
            return Done(Outcome.NOTHING, champion.version, f"it is watched until {since + self.rules.watch}: {told}")
        reason = f"champion {champion.version} has held: {'no live scores' if live is None else live.in_words}"
        self.office.end_trial(reason=reason)
        return Done(Outcome.ENDED, champion.version, reason)

    def _roll_back(self, reason: str, champion: RegisteredModel) -> Done | None:
        """Go back to the last champion that is whole and was not sent back itself; None if there is none."""
        former = [
            each
            for each in self.office.registry.versions()
            if each.version != champion.version and PROMOTED_AT in each.tags and not each.tags.get(SENT_BACK_BECAUSE)
        ]
        former.sort(key=lambda each: each.tags[PROMOTED_AT], reverse=True)
        whole = next((each for each in former if not _damage_of(each)), None)
        if whole is None:
            return None
        self.office.roll_back(to=whole, reason=reason)
        return Done(Outcome.ROLLED_BACK, whole.version, reason)

    def _decide_trial(self, champion: RegisteredModel) -> Done | None:
        """Put a challenger in charge that has done better beside the champion, or end its trial."""
        now, shadow = self.office.known_until, self.office.registry.shadow()
        if shadow is None or ON_TRIAL_FOR not in shadow.tags:
            return None
        since = datetime.fromisoformat(shadow.tags[ON_TRIAL_SINCE])
        until = since + timedelta(days=float(shadow.tags[ON_TRIAL_FOR]))
        live = compare_live(self.office.store, model=champion.version, shadow=shadow.version, since=since)
        if now < until or live is None:
            told = "not scored yet" if live is None else live.in_words
            return Done(Outcome.NOTHING, shadow.version, f"it is on trial until {until}: {told}")
        if live.worse_by > 0:
            return self._put_in_charge(
                shadow, reason=f"better than champion {champion.version} on trial: {live.in_words}"
            )
        self._mark(shadow, _REFUSED)
        reason = f"no better than champion {champion.version} on trial: {live.in_words}"
        self.office.end_trial(reason=reason)
        return Done(Outcome.REFUSED, shadow.version, reason)

    def _put_in_charge(self, model: RegisteredModel, *, reason: str) -> Done:
        try:
            self.office.put_in_charge(model, gate=self.gate, reason=reason, is_watched=self._is_watched)
        except ApprovalMissingError as missing:
            return Done(Outcome.WAITING, model.version, str(missing))
        self._mark(model, _PASSED)
        return Done(Outcome.PROMOTED, model.version, reason)

    def _judge_again(self) -> Done | None:
        """Go on with a challenger that was trained but not judged, or that waited for approval."""
        challenger = with_alias(self.office.registry.versions(), CHALLENGER)
        if challenger is None or TRAINED_BECAUSE not in challenger.tags:
            return None
        return self._judge(challenger) if challenger.tags.get(VERDICT, _WAITS) == _WAITS else None

    def _judge(self, challenger: RegisteredModel) -> Done:
        has_champion = self.office.registry.champion() is not None
        on_trial = has_champion and self.rules.trial > timedelta(0)
        try:
            done = self.office.promote(
                challenger, gate=self.gate, compare=self.compare, on_trial=on_trial, is_watched=self._is_watched
            )
        except ApprovalMissingError as missing:
            self._mark(challenger, _WAITS)
            return Done(Outcome.WAITING, challenger.version, str(missing))
        except GateRefusedError as refusal:
            self._mark(challenger, _REFUSED)
            return Done(Outcome.REFUSED, challenger.version, str(refusal))
        except GridcastError as error:
            self._mark(challenger, _REFUSED)
            self._record(Step.REFUSED, challenger.version, f"it cannot be judged: {error}")
            return Done(Outcome.REFUSED, challenger.version, str(error))
        self._mark(challenger, _PASSED)
        if on_trial:
            self.office.registry.tag(challenger.version, {ON_TRIAL_FOR: str(self.rules.trial / timedelta(days=1))})
        return Done(Outcome.ON_TRIAL if on_trial else Outcome.PROMOTED, challenger.version, done.reason)

    def _renew(self, forced: str, *, only_if_drifted: bool) -> Done:
        """Train and judge a challenger if one is due, or for the reason that forces it."""
        because, otherwise = (forced, "") if forced else self._due(only_if_drifted=only_if_drifted)
        if not because:
            return Done(Outcome.NOTHING, "", otherwise)
        share = self._good_share()
        if share < self.rules.min_good_share:
            reason = (
                f"{share:.1%} of the readings of the last {self.rules.judged_days} days are good, expected "
                f"{self.rules.min_good_share:.0%} at least; due because {because}"
            )
            if not self._was_skipped():
                self._record(Step.NOT_RETRAINED, "", reason)
            return Done(Outcome.SKIPPED, "", reason)
        if self.office.dry_run:
            return Done(Outcome.NOTHING, "", f"a challenger would be trained because {because}")
        self._record(Step.RETRAINING, "", because)
        challenger = self.train(because)
        self._record(Step.TRAINED, challenger.version, because)
        return self._judge(challenger)

    def _due(self, *, only_if_drifted: bool) -> tuple[str, str]:
        """Why a training is due, or why none is."""
        now, trained = self.office.known_until, self._last_training()
        if trained is None:
            return "no model has been trained yet", ""
        fired = [] if self.drift is None else list(firing(self.drift))
        if fired and now - trained >= self.rules.rest:
            return f"of drift: {', '.join(fired)}", ""
        if not only_if_drifted and now - trained >= self.rules.every:
            return f"the last training is of {trained:%Y-%m-%d}, {self.rules.every.days} days or more ago", ""
        due = trained + (self.rules.rest if only_if_drifted else self.rules.every)
        return "", f"the last training is of {trained:%Y-%m-%d}, the next is due on {due:%Y-%m-%d}"

    def _last_training(self) -> datetime | None:
        times = [each.tags.get(KNOWN_UNTIL, each.tags.get("trained_until")) for each in self.office.registry.versions()]
        return max((datetime.fromisoformat(each) for each in times if each is not None), default=None)

    def _good_share(self) -> float:
        start = self.processed.observed_until - timedelta(days=self.rules.judged_days)
        rows = self.processed.readings(start=start, series_ids=self.processed.hierarchy.leaves)
        good = rows.filter(pl.col("quality").is_in([Quality.GOOD.value, Quality.EDITED.value]))
        return good.height / rows.height if rows.height else 0.0

    def _was_skipped(self) -> bool:
        newest = read_history(self.office.store, newest=1)
        return bool(newest) and newest[0].action.endswith(Step.NOT_RETRAINED.value)

    def _mark(self, model: RegisteredModel, verdict: str) -> None:
        if not self.office.dry_run:
            self.office.registry.tag(model.version, {VERDICT: verdict})

    def _record(self, step: Step, version: str, reason: str) -> None:
        if not self.office.dry_run:
            record(
                self.office.store,
                step,
                version=version,
                actor=self.office.actor,
                reason=reason,
                known_until=self.office.known_until,
            )

    @property
    def _is_watched(self) -> bool:
        return self.rules.watch > timedelta(0)


def _damage_of(model: RegisteredModel) -> str:
    """What is wrong with its artefact; '' if nothing is."""
    try:
        Forecaster.load(model.directory)
    except GridcastError as error:
        return str(error)
    return ""
