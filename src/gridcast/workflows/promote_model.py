"""The gate: a model takes charge only if it beats the naive and the reigning champion on weeks neither has seen."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import polars as pl

from gridcast.domain.errors import GateRefusedError, GridcastError
from gridcast.evaluation.bootstrap import FEWEST_BLOCKS, Resampling
from gridcast.evaluation.comparison import compare_pairs
from gridcast.evaluation.scored import MODEL
from gridcast.registry.catalogue import CHALLENGER, CHAMPION, PREVIOUS, RegisteredModel
from gridcast.registry.mlflow_registry import Registry
from gridcast.store.store import Store
from gridcast.workflows.backtest import Backtest
from gridcast.workflows.gate import Gate
from gridcast.workflows.judge_model import Comparison

WEEKS = Resampling()


@dataclass(frozen=True, slots=True)
class Promotion:
    """Who is in charge now, who was before, and why."""

    version: str
    previous: str | None
    reason: str
    changed: bool


def promote_model(
    registry: Registry,
    store: Store,
    *,
    candidate: RegisteredModel,
    gate: Gate,
    compare: Callable[[RegisteredModel, RegisteredModel | None], Comparison],
    actor: str,
    dry_run: bool = False,
) -> Promotion:
    """Put `candidate` in charge if it passes the gate.

    Args:
        registry: the models.
        store: where the decision is recorded as an event.
        candidate: who wants to be champion.
        gate: what it must reach.
        compare: judges candidate and champion on the same points, see `Judge.compare`.
        actor: who asks.
        dry_run: judge only, change nothing.

    Raises:
        GateRefusedError: the candidate is not good enough; the champion stays.
    """
    champion = registry.champion()
    if champion is not None and champion.version == candidate.version:
        return Promotion(candidate.version, champion.version, "it is in charge already", changed=False)
    challenge, reigning, remark = compare(candidate, champion)
    if reigning is not None and reigning.weather != challenge.weather:
        raise ValueError(f"judged with {challenge.weather} and {reigning.weather} weather; expected the same for both")
    refusals = _refusals(challenge, reigning, gate=gate)
    if refusals:
        reason = f"model {candidate.version} is not promoted: {'; '.join(refusals)}."
        if not dry_run:
            store.add_event(at=datetime.now(UTC), kind="promotion_refused", message=f"{reason} Asked by {actor}.")
        raise GateRefusedError(reason)
    reason = "; ".join(each for each in (_because(challenge, reigning), remark) if each)
    previous = None if champion is None else champion.version
    if not dry_run:
        _put_in_charge(registry, candidate, instead_of=champion)
        if CHALLENGER in candidate.aliases:
            registry.drop_alias(CHALLENGER)
        registry.tag(candidate.version, {"promoted_because": reason, "promoted_by": actor})
        store.add_event(
            at=datetime.now(UTC), kind="promoted", message=f"model {candidate.version} by {actor}: {reason}"
        )
    return Promotion(candidate.version, previous, reason, changed=not dry_run)


def roll_back(registry: Registry, store: Store, *, actor: str, reason: str = "", dry_run: bool = False) -> Promotion:
    """Put the model back in charge that was before; rolling back once more undoes it.

    Raises:
        GridcastError: no other model was in charge before.
    """
    champion, previous = registry.champion(), registry.previous()
    if champion is None or previous is None or previous.version == champion.version:
        raise GridcastError(
            "there is no model to go back to; expected one that was in charge before the champion. See "
            '"gridcast status".'
        )
    because = f"instead of {champion.version}{': ' if reason else ''}{reason}"
    if not dry_run:
        _put_in_charge(registry, previous, instead_of=champion)
        store.add_event(
            at=datetime.now(UTC), kind="rolled_back", message=f"model {previous.version} by {actor} {because}"
        )
    return Promotion(previous.version, champion.version, because, changed=not dry_run)


def _put_in_charge(registry: Registry, model: RegisteredModel, *, instead_of: RegisteredModel | None) -> None:
    if instead_of is not None:
        registry.set_alias(PREVIOUS, instead_of.version)
    registry.set_alias(CHAMPION, model.version)


def _refusals(challenge: Backtest, reigning: Backtest | None, *, gate: Gate) -> list[str]:
    pinball, skill = _figure(challenge, "pinball_model"), _figure(challenge, "skill_pinball_vs_naive")
    coverage, (low, high) = _figure(challenge, "coverage_80"), gate.coverage_80
    refusals = []
    if not skill > gate.min_skill_vs_naive:
        refusals.append(
            f"its skill against the weekly naive is {skill:.1%}, expected more than {gate.min_skill_vs_naive:.0%}"
        )
    if not low <= coverage <= high:
        refusals.append(f"its 80 % band holds {coverage:.1%} of the measurements, expected {low:.0%} to {high:.0%}")
    if reigning is not None and not pinball < _figure(reigning, "pinball_model"):
        refusals.append(
            f"its mean pinball loss is {pinball:.3f} MW, expected less than the "
            f"{_figure(reigning, 'pinball_model'):.3f} MW of champion {reigning.model_version}"
        )
    return refusals


def _because(challenge: Backtest, reigning: Backtest | None) -> str:
    skill, pinball = _figure(challenge, "skill_pinball_vs_naive"), _figure(challenge, "pinball_model")
    days = len(challenge.origins)
    reason = f"over {days} held-out days its pinball loss is {pinball:.3f} MW, {skill:.0%} below the weekly naive"
    if reigning is not None:
        reason += f", against {_figure(reigning, 'pinball_model'):.3f} MW of champion {reigning.model_version}"
        reason += _interval(challenge, reigning)
    return f"{reason}, with {challenge.weather.in_words}"


def _interval(challenge: Backtest, reigning: Backtest) -> str:
    """How sure the difference is, in words; nothing where there are too few days to say."""
    if len(challenge.origins) < FEWEST_BLOCKS * WEEKS.block:
        return ""
    points = pl.concat(
        each.points.filter(pl.col("forecaster") == MODEL).with_columns(pl.lit(name).alias("forecaster"))
        for name, each in (("candidate", challenge), ("champion", reigning))
    )
    pairs = compare_pairs(points, time_zone="UTC", resampling=WEEKS)
    pair = pairs.row(by_predicate=pl.col("metric") == "pinball_mw", named=True)
    return (
        f" (difference {pair['difference']:+.3f} MW, with 95 % confidence {pair['low']:+.3f} to {pair['high']:+.3f} MW)"
    )


def _figure(backtest: Backtest, name: str) -> float:
    value = backtest.headline[name]
    return float("nan") if value is None else float(value)
