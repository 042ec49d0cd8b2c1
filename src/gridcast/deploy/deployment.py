"""A release from manifests to a service that was tested, or back to the release before."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from gridcast.deploy.connection import Connection
from gridcast.deploy.errors import RolloutError
from gridcast.deploy.manifests import Manifest, Ref, find, namespace_of
from gridcast.deploy.releases import Release, Releases, State
from gridcast.deploy.rollout import wait_for
from gridcast.deploy.tasks import TEMPLATE, Tell, require_success, run_task
from gridcast.domain.errors import GridcastError

MIGRATION: Final = ("store", "status", "--no-rows")
"""Opens the store, and so brings it to the version of the image."""
FIRST_KEY: Final = ("key", "create", "--role", "viewer", "--name", "first deployment", "--expires-in", "P1D")
"""Without any key the service does not start."""
FIRST: Final = (FIRST_KEY, ("ingest",), ("prepare",), ("train",), ("backtest",), ("model", "promote"))
_KEPT: Final = frozenset({"Namespace", "PersistentVolumeClaim"})
"""Kinds that stay when manifests no longer have them: data is in them."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How a release is deployed.

    Attributes:
        at: when.
        by: who asked for it.
        within: how long each stage of the rollout may take.
        is_forced: whether fields that others set are taken over.
        tasks: commands run in the cluster, once the store is of the new version.
        test: what has to hold afterwards; raises RolloutError.
        tell: hears of every step.
    """

    at: datetime
    by: str
    within: timedelta
    tell: Tell
    is_forced: bool = False
    tasks: Sequence[Sequence[str]] = ()
    test: Callable[[], object] = field(default=lambda: None)


def deploy(connection: Connection, manifests: Sequence[Manifest], plan: Plan) -> Release:
    """Apply, migrate, wait, test; if any of it fails, put the release before back.

    Raises:
        RolloutError: it failed; the message says what is in the cluster now.
        ConflictsError: others own fields that would change; nothing was applied.
    """
    releases = Releases(connection, _made(connection, manifests, plan))
    for each in manifests:
        connection.apply(each, force=plan.is_forced, dry_run=True)
    before = releases.current()
    release = releases.begin(manifests, at=plan.at, by=plan.by)
    plan.tell(f"release {release.number}")
    try:
        _bring_about(connection, manifests, plan)
        plan.tell(f"test: {plan.test() or 'none'}")
    except (GridcastError, KeyboardInterrupt) as error:
        releases.settle(release, State.FAILED)
        raise RolloutError(f"{error or 'broken off'} {_back(connection, release, before, plan)}") from error
    if before is not None:
        releases.settle(before, State.REPLACED)
        _remove(connection, before, kept=manifests, tell=plan.tell)
    return releases.settle(release, State.DEPLOYED)


def roll_back(connection: Connection, namespace: str, *, to: int | None, plan: Plan) -> Release:
    """Put a former release back: the one before the current one, or of a number; which it is.

    A release that was broken off counts as current.

    Raises:
        GridcastError: there is none to go back to.
        RolloutError: it does not come about.
    """
    releases = Releases(connection, namespace)
    known = releases.all()
    target = _target(known, to=to)
    newer = [each for each in known if each.number != target.number and each.state in {State.DEPLOYED, State.PENDING}]
    restore(connection, target, plan)
    plan.tell(f"test: {plan.test() or 'none'}")
    for each in newer:
        releases.settle(each, State.ROLLED_BACK)
        _remove(connection, each, kept=target.manifests, tell=plan.tell)
    return releases.settle(target, State.DEPLOYED)


def restore(connection: Connection, release: Release, plan: Plan) -> None:
    """Apply what a release had, whoever changed it since, and wait for it."""
    for each in release.manifests:
        connection.apply(each, force=True)
    wait_for(connection, release.manifests, within=plan.within)


def _made(connection: Connection, manifests: Sequence[Manifest], plan: Plan) -> str:
    """The namespace, made if it is not there: releases are kept in it."""
    namespace = namespace_of(manifests)
    for each in manifests:
        if each.ref.kind == "Namespace":
            connection.apply(each, force=plan.is_forced)
    return namespace


def _bring_about(connection: Connection, manifests: Sequence[Manifest], plan: Plan) -> None:
    first = [each for each in manifests if not each.serves]
    second = [each for each in manifests if each.serves]
    for stage in (first, second):
        for each in stage:
            connection.apply(each, force=plan.is_forced)
        plan.tell(f"applied {len(stage)} objects")
        if stage is first:
            wait_for(connection, first, within=plan.within)
            template = find(manifests, "CronJob", TEMPLATE)
            for command in (MIGRATION, *plan.tasks):
                plan.tell(f"gridcast {' '.join(command)}")
                require_success(run_task(connection, template, command, tell=plan.tell))
    for ref in wait_for(connection, second, within=plan.within):
        plan.tell(f"{ref} runs")


def _back(connection: Connection, failed: Release, before: Release | None, plan: Plan) -> str:
    """Put the release before back; what there is to say of it."""
    if before is None:
        return f"Release {failed.number} is the first, so there is none to go back to: what was applied is still there."
    plan.tell(f"going back to release {before.number}")
    try:
        restore(connection, before, plan)
        plan.tell(f"test: {plan.test() or 'none'}")
    except GridcastError as error:
        return f"Going back to release {before.number} failed too: {error}"
    _remove(connection, failed, kept=before.manifests, tell=plan.tell)
    return f"Rolled back: release {before.number} is in place again."


def _remove(connection: Connection, release: Release, *, kept: Sequence[Manifest], tell: Tell) -> None:
    """Delete what a release had and the one that stays has not."""
    stays = {each.ref for each in kept}
    for ref in sorted({each.ref for each in release.manifests} - stays, reverse=True):
        if ref.kind not in _KEPT and not _is_of_another_version(ref, stays):
            connection.delete(ref)
            tell(f"removed {ref}")


def _is_of_another_version(ref: Ref, stays: set[Ref]) -> bool:
    names = {(each.kind, each.namespace, each.name) for each in stays}
    return (ref.kind, ref.namespace, ref.name) in names


def _target(known: Sequence[Release], *, to: int | None) -> Release:
    states = [f"{each.number} ({each.state})" for each in known]
    if to is not None:
        found = next((each for each in known if each.number == to and each.state is not State.FAILED), None)
    else:
        newest = next((each for each in reversed(known) if each.state in {State.DEPLOYED, State.PENDING}), None)
        worked = {State.DEPLOYED, State.REPLACED}
        before = [each for each in known if newest and each.number < newest.number and each.state in worked]
        found = before[-1] if before else None
    if found is None:
        raise GridcastError(f"no release to go back to; expected one that worked among {states or 'none'}.")
    return found
