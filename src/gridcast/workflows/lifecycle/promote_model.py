"""Who is in charge and who is on trial: a model takes charge only through the gate, and can be sent back at once."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from gridcast.domain.errors import GateRefusedError, GridcastError, UsageError
from gridcast.registry.catalogue import CHALLENGER, CHAMPION, PREVIOUS, SHADOW, RegisteredModel
from gridcast.registry.mlflow_registry import Registry
from gridcast.store.store import Store
from gridcast.workflows.judging.judge_model import Comparison
from gridcast.workflows.lifecycle.gate import Gate
from gridcast.workflows.lifecycle.model_history import Step, approvers, record
from gridcast.workflows.lifecycle.verdict import verdict_on

PROMOTED_AT: Final = "promoted_at"
"""Tag: end of the newest reading when a version took charge."""
ON_TRIAL_SINCE: Final = "on_trial_since"
"""Tag: likewise, when its trial began."""


SENT_BACK_BECAUSE: Final = "sent_back_because"
"""Tag: why another version was put back in its place; empty since it took charge again."""


class ApprovalMissingError(GateRefusedError):
    """All that a model lacks is that others approve of it."""


@dataclass(frozen=True, slots=True)
class Promotion:
    """Who is in charge or on trial now, who was in charge before, and why."""

    version: str
    previous: str | None
    reason: str
    changed: bool


@dataclass(frozen=True, slots=True, eq=False)
class Office:
    """Where it is decided who is in charge.

    Attributes:
        registry: the models.
        store: where every decision is kept.
        known_until: end of the newest reading.
        actor: who decides.
        dry_run: say what would be done, change nothing.
    """

    registry: Registry
    store: Store
    known_until: datetime
    actor: str
    dry_run: bool = False

    def promote(
        self,
        candidate: RegisteredModel,
        *,
        gate: Gate,
        compare: Callable[[RegisteredModel, RegisteredModel | None], Comparison],
        on_trial: bool = False,
        is_watched: bool = True,
    ) -> Promotion:
        """Put `candidate` in charge, or on trial, if it passes the gate.

        Args:
            candidate: who wants to be champion.
            gate: what it must reach.
            compare: judges candidate and champion on the same points, see `Judge.compare`.
            on_trial: let it only forecast beside the champion.
            is_watched: let the champion that it follows forecast beside it from now on.

        Raises:
            GateRefusedError: the candidate is not good enough; the champion stays.
            ApprovalMissingError: it is, but not enough others approve of it.
            UsageError: there is no champion beside whom it could be on trial.
        """
        champion = self.registry.champion()
        if champion is not None and champion.version == candidate.version:
            return Promotion(candidate.version, champion.version, "it is in charge already", changed=False)
        if on_trial and champion is None:
            raise UsageError("no model is in charge; expected one beside whom another can be on trial. Promote it.")
        verdict = verdict_on(compare(candidate, champion), gate=gate)
        if verdict.refusals:
            reason = f"{'; '.join(verdict.refusals)}."
            self._record(Step.REFUSED, candidate, reason)
            raise GateRefusedError(f"model {candidate.version} is not promoted: {reason}")
        if on_trial:
            self._try_out(candidate, reason=verdict.because)
            before = None if champion is None else champion.version
            return Promotion(candidate.version, before, verdict.because, changed=not self.dry_run)
        return self.put_in_charge(candidate, gate=gate, reason=verdict.because, is_watched=is_watched)

    def put_in_charge(self, model: RegisteredModel, *, gate: Gate, reason: str, is_watched: bool = True) -> Promotion:
        """Put a model in charge that has shown what it can do, if enough others approve of it.

        Raises:
            ApprovalMissingError: they do not; the champion stays.
        """
        missing = self._approvals_missing(model, wanted=gate.approvals)
        if missing:
            self._record(Step.REFUSED, model, missing)
            raise ApprovalMissingError(f"model {model.version} is not promoted: {missing}")
        champion = self.registry.champion()
        before = None if champion is None else champion.version
        if not self.dry_run:
            self._record(Step.PROMOTED, model, reason, instead_of=before)
            self._end_trial()
            if champion is not None:
                self.registry.set_alias(PREVIOUS, champion.version)
                if is_watched:
                    self.registry.set_alias(SHADOW, champion.version)
            told = {"promoted_because": reason, "promoted_by": self.actor, PROMOTED_AT: self.known_until.isoformat()}
            self.registry.tag(model.version, {**told, SENT_BACK_BECAUSE: ""})
            self.registry.set_alias(CHAMPION, model.version)
            self._drop(CHALLENGER, model)
        return Promotion(model.version, before, reason, changed=not self.dry_run)

    def roll_back(self, *, to: RegisteredModel | None = None, reason: str = "") -> Promotion:
        """Put the model back in charge that was before, or another one; rolling back once more undoes it.

        Raises:
            GridcastError: no other model was in charge before.
        """
        champion, previous = self.registry.champion(), to or self.registry.previous()
        if champion is None or previous is None or previous.version == champion.version:
            raise GridcastError(
                "there is no model to go back to; expected one that was in charge before the champion. See "
                '"gridcast model list".'
            )
        because = f"instead of {champion.version}{': ' if reason else ''}{reason}"
        self._record(Step.ROLLED_BACK, previous, because)
        if not self.dry_run:
            self._end_trial()
            self.registry.tag(champion.version, {SENT_BACK_BECAUSE: reason or "not said"})
            self.registry.tag(previous.version, {SENT_BACK_BECAUSE: ""})
            self.registry.set_alias(PREVIOUS, champion.version)
            self.registry.set_alias(CHAMPION, previous.version)
        return Promotion(previous.version, champion.version, because, changed=not self.dry_run)

    def end_trial(self, *, reason: str) -> RegisteredModel:
        """Let nobody forecast beside the champion any more; who did until now.

        Raises:
            GridcastError: nobody does.
        """
        shadow = self.registry.shadow()
        if shadow is None:
            raise GridcastError(
                'no model is on trial; expected one. Begin with "gridcast model promote VERSION --shadow".'
            )
        self._record(Step.TRIAL_ENDED, shadow, reason)
        if not self.dry_run:
            self._end_trial()
        return shadow

    def approve(self, model: RegisteredModel, *, reason: str) -> None:
        """Keep that somebody approves of a model.

        Raises:
            UsageError: the same person has already.
        """
        if self.actor in approvers(self.store, version=model.version):
            raise UsageError(f"model {model.version}: {self.actor} has approved of it already; expected somebody else.")
        self._record(Step.APPROVED, model, reason)

    def _approvals_missing(self, candidate: RegisteredModel, *, wanted: int) -> str:
        others = approvers(self.store, version=candidate.version) - {self.actor} if wanted else frozenset[str]()
        if len(others) >= wanted:
            return ""
        return (
            f"it is approved of by {len(others)} persons other than {self.actor}, expected {wanted}: "
            f'"gridcast model approve {candidate.version}".'
        )

    def _try_out(self, model: RegisteredModel, *, reason: str) -> None:
        self._record(Step.TRIAL_BEGAN, model, reason)
        if not self.dry_run:
            self.registry.tag(model.version, {ON_TRIAL_SINCE: self.known_until.isoformat()})
            self.registry.set_alias(SHADOW, model.version)
            self._drop(CHALLENGER, model)

    def _end_trial(self) -> None:
        if self.registry.shadow() is not None:
            self.registry.drop_alias(SHADOW)

    def _drop(self, alias: str, model: RegisteredModel) -> None:
        if alias in model.aliases:
            self.registry.drop_alias(alias)

    def _record(self, step: Step, model: RegisteredModel, reason: str, **detail: str | None) -> None:
        if not self.dry_run:
            record(
                self.store,
                step,
                version=model.version,
                actor=self.actor,
                reason=reason,
                known_until=self.known_until,
                detail=detail,
            )
