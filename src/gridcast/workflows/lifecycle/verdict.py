"""Whether what was measured of a model is enough to take charge, in words."""

from typing import Final, NamedTuple

import polars as pl

from gridcast.domain.dimensions import Dimension
from gridcast.evaluation.bootstrap import FEWEST_BLOCKS, Resampling
from gridcast.evaluation.comparison import compare_pairs
from gridcast.evaluation.scored import MODEL
from gridcast.workflows.judging.backtest import Backtest
from gridcast.workflows.judging.judge_model import Comparison
from gridcast.workflows.lifecycle.gate import Gate

WEEK: Final = 7


class Verdict(NamedTuple):
    """Why a model must not take charge, empty if it may, and what speaks for it."""

    refusals: tuple[str, ...]
    because: str


class _Sureness(NamedTuple):
    probability: float
    difference: float
    low: float
    high: float


def verdict_on(comparison: Comparison, *, gate: Gate) -> Verdict:
    """What a gate makes of a candidate and, where there is one, the champion on the same days.

    Raises:
        ValueError: the two were judged with different weather.
    """
    candidate, champion = comparison.candidate, comparison.champion
    if champion is not None and champion.weather != candidate.weather:
        raise ValueError(f"judged with {candidate.weather} and {champion.weather} weather; expected the same for both")
    sure = None if champion is None else _sureness(candidate, champion)
    refusals = [*_absolute(candidate, champion, gate=gate), *_too_dear(comparison, gate=gate)]
    if champion is not None:
        refusals += _against(candidate, champion, sure=sure, gate=gate)
    reasons = (_because(candidate, champion, sure=sure), comparison.remark)
    return Verdict(tuple(refusals), "; ".join(each for each in reasons if each))


def _absolute(candidate: Backtest, champion: Backtest | None, *, gate: Gate) -> list[str]:
    skill, coverage = _figure(candidate, "skill_pinball_vs_naive"), _figure(candidate, "coverage_80")
    low, high = gate.coverage_80
    refusals = []
    if not skill > gate.min_skill_vs_naive:
        refusals.append(
            f"its skill against the weekly naive is {skill:.1%}, expected more than {gate.min_skill_vs_naive:.0%}"
        )
    if not (low <= coverage <= high or _is_nearer(coverage, champion)):
        refusals.append(f"its 80 % band holds {coverage:.1%} of the measurements, expected {low:.0%} to {high:.0%}")
    return refusals


def _is_nearer(coverage: float, champion: Backtest | None) -> bool:
    """Whether a band holds a share nearer to 80 % than the champion's on the same, perhaps unusual, days."""
    return champion is not None and abs(coverage - 0.8) < abs(_figure(champion, "coverage_80") - 0.8)


def _too_dear(comparison: Comparison, *, gate: Gate) -> list[str]:
    cost, refusals = comparison.cost, []
    if not cost.latency_ms <= gate.max_latency_ms:
        refusals.append(
            f"a forecast of one series takes {cost.latency_ms:.1f} ms, expected {gate.max_latency_ms:g} at most"
        )
    if not cost.size_mb <= gate.max_size_mb:
        refusals.append(f"its artefact has {cost.size_mb:.1f} MB, expected {gate.max_size_mb:g} at most")
    return refusals


def _against(candidate: Backtest, champion: Backtest, *, sure: _Sureness | None, gate: Gate) -> list[str]:
    own, reigning = _figure(candidate, "pinball_model"), _figure(champion, "pinball_model")
    refusals = []
    if not own < reigning:
        refusals.append(
            f"its mean pinball loss is {own:.3f} MW, expected less than the {reigning:.3f} MW of champion "
            f"{champion.model_version}"
        )
    elif sure is not None and sure.probability < gate.min_confidence:
        refusals.append(
            f"it is better than champion {champion.model_version} with a probability of {sure.probability:.0%}, "
            f"expected {gate.min_confidence:.0%} at least"
        )
    for level, now, before in _levels(candidate, champion):
        if not now <= (1 + gate.max_worse_at_level) * before:
            refusals.append(
                f"at the level {level} its pinball loss is {now:.3f} MW, expected at most "
                f"{gate.max_worse_at_level:.0%} above the champion's {before:.3f} MW"
            )
    return refusals


def _levels(candidate: Backtest, champion: Backtest) -> list[tuple[str, float, float]]:
    """Level, and the losses of both."""
    by_level = [
        {} if each.scores.is_empty() else dict(_of_level(each.scores).iter_rows()) for each in (candidate, champion)
    ]
    both = by_level[0].keys() & by_level[1].keys()
    return [(level, by_level[0][level], by_level[1][level]) for level in sorted(both)]


def _of_level(scores: pl.DataFrame) -> pl.DataFrame:
    rows = scores.filter(dimension=Dimension.LEVEL.value, forecaster=MODEL)
    return rows.select("value", "pinball_mw").drop_nulls()


def _because(candidate: Backtest, champion: Backtest | None, *, sure: _Sureness | None) -> str:
    skill, pinball = _figure(candidate, "skill_pinball_vs_naive"), _figure(candidate, "pinball_model")
    days = len(candidate.origins)
    reason = f"over {days} held-out days its pinball loss is {pinball:.3f} MW, {skill:.0%} below the weekly naive"
    if champion is not None:
        reason += f", against {_figure(champion, 'pinball_model'):.3f} MW of champion {champion.model_version}"
    if sure is not None:
        reason += (
            f" (difference {sure.difference:+.3f} MW, with 95 % confidence {sure.low:+.3f} to {sure.high:+.3f} MW; "
            f"better with a probability of {sure.probability:.0%})"
        )
    return f"{reason}, with {candidate.weather.in_words}"


def _sureness(candidate: Backtest, champion: Backtest) -> _Sureness | None:
    """How sure the difference is, by weeks or, of less than four, by quarters of the days; None without points."""
    if candidate.points.is_empty() or champion.points.is_empty():
        return None
    block = min(WEEK, len(candidate.origins) // FEWEST_BLOCKS)
    points = pl.concat(
        each.points.filter(pl.col("forecaster") == MODEL).with_columns(pl.lit(name).alias("forecaster"))
        for name, each in (("candidate", candidate), ("champion", champion))
    )
    pairs = compare_pairs(points, time_zone="UTC", resampling=Resampling(block=block))
    pair = pairs.row(by_predicate=pl.col("metric") == "pinball_mw", named=True)
    return _Sureness(pair["probability_a_better"], pair["difference"], pair["low"], pair["high"])


def _figure(backtest: Backtest, name: str) -> float:
    value = backtest.headline[name]
    return float("nan") if value is None else float(value)
