"""What became of models and who decided it, in the log that nobody can change unseen."""

import enum
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from gridcast.store import audit, events
from gridcast.store.store import Store

_PREFIX: Final = "model."


class Step(enum.StrEnum):
    """What happened to a model; also the kind of the event."""

    TRAINED = "trained"
    PROMOTED = "promoted"
    REFUSED = "promotion_refused"
    APPROVED = "approved"
    ROLLED_BACK = "rolled_back"
    TRIAL_BEGAN = "shadow_started"
    TRIAL_ENDED = "shadow_ended"
    RETRAINING = "retrain_started"
    NOT_RETRAINED = "retrain_skipped"


def record(
    store: Store,
    step: Step,
    *,
    version: str,
    actor: str,
    reason: str,
    known_until: datetime | None = None,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Keep a step as an event and in the audit log, both or neither.

    Args:
        store: keeps both.
        step: what happened.
        version: of the model; '' where it is not about one.
        actor: who did it.
        reason: why.
        known_until: end of the newest reading then: the time of the data, other than that of the clock in a replay.
        detail: more, for the audit log.
    """
    at, of_model = datetime.now(UTC), f"model {version}" if version else "no model"
    until = {} if known_until is None else {"known_until": known_until.isoformat()}
    entry = audit.Entry(
        at=at,
        actor=actor,
        role="local",
        action=f"{_PREFIX}{step.value}",
        target=of_model,
        detail={"reason": reason, **until, **(detail or {})},
    )
    with store.transaction() as connection:
        audit.append_in(connection, entry)
        events.add(connection, at=at, kind=step.value, message=f"{of_model} by {actor}: {reason}")


def read_history(store: Store, *, newest: int, version: str | None = None) -> list[audit.Recorded]:
    """The newest steps, oldest of them first; only those of one version if it is given."""
    target = None if version is None else f"model {version}"
    return audit.newest(store, limit=newest, prefix=_PREFIX, target=target)[::-1]


def approvers(store: Store, *, version: str) -> frozenset[str]:
    """Who has approved of a version."""
    found = audit.newest(store, limit=1000, prefix=f"{_PREFIX}{Step.APPROVED.value}", target=f"model {version}")
    return frozenset(each.actor for each in found)
