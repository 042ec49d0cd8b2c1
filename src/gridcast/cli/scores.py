"""Scores on the screen and for programs, the same for everything that judges."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from gridcast.cli.options import Format
from gridcast.cli.output import show
from gridcast.domain.dimensions import Dimension

if TYPE_CHECKING:
    from gridcast.workflows.judging.backtest import Backtest

SHOWN: Final = (
    *("forecaster", "n", "missing_share", "pinball_mw", "mae_mw", "wape", "mase"),
    *("coverage_80", "coverage_90", "skill_pinball_vs_naive"),
)
"""Columns of a scorecard that fit on a screen."""


def show_scores(result: "Backtest", *, subject: str, by: Dimension, facts: Mapping[str, Any], output: Format) -> None:
    """Print a judgement: its scores by one dimension above the headline; `facts` are added to the JSON."""
    from gridcast.evaluation.scorecard import broken_down

    table = broken_down(result.scores, by=by)
    show(
        {
            **result.headline,
            "model_version": result.model_version,
            "origins": len(result.origins),
            "first_origin": result.origins[0],
            "last_origin": result.origins[-1],
            "weather": result.weather,
            "degraded_share": result.degraded_share,
            **facts,
            "by_lead": broken_down(result.scores, by=Dimension.LEAD_BUCKET).to_dicts(),
            "by": by,
            "breakdown": table.to_dicts(),
        },
        rows=table.select(by, *SHOWN).rename({"skill_pinball_vs_naive": "skill_vs_naive"}).to_dicts(),
        last_line=f"{subject}: {_headline(result, is_reused=bool(facts.get('reused')))}",
        output=output,
    )


def _headline(result: "Backtest", *, is_reused: bool) -> str:
    head = result.headline
    degraded = f", {result.degraded_share:.1%} of the points without" if result.degraded_share else ""
    return (
        f"{len(result.origins)} daily origins, {head['n']:,} points{', as judged before' if is_reused else ''}: mean "
        f"pinball {_figure(head['pinball_model'], '.3f')} MW, {_figure(head['skill_pinball_vs_naive'])} below the "
        f"weekly naive and {_figure(head['skill_pinball_vs_linear'])} below the linear baseline; the 80 % band covers "
        f"{_figure(head['coverage_80'])}; system MAPE {_figure(head['mape_system'], '.2%')}; with "
        f"{result.weather.in_words}{degraded}."
    )


def _figure(value: float | None, form: str = ".1%") -> str:
    return "–" if value is None else format(value, form)
