"""The model against others: differences with their intervals; and what it scored on other days."""

from collections.abc import Sequence

import polars as pl
from markupsafe import Markup
from matplotlib.figure import Figure

from gridcast.dashboards.report.figures import Chart
from gridcast.dashboards.report.numbers import count, megawatts, percent
from gridcast.dashboards.report.svg import inline_svg
from gridcast.dashboards.report.tables import Cell, Table, Tone, skill_cell
from gridcast.dashboards.report.theme import LIGHT
from gridcast.evaluation.scored import MODEL
from gridcast.workflows.judging.backtest import Backtest
from gridcast.workflows.judging.compare_models import Compared


def comparison_frame(comparisons: Sequence[Compared]) -> pl.DataFrame:
    """The pairs of some comparisons below each other, each with the days and weather it was judged on."""
    parts = [
        each.pairs.select(
            pl.lit(f"{each.origins[0]:%Y-%m-%d} to {each.origins[-1]:%Y-%m-%d}, {each.weather}").alias("judged"),
            pl.all(),
        )
        for each in comparisons
    ]
    return pl.concat(parts) if parts else pl.DataFrame()


def other_scores(others: Sequence[Backtest]) -> pl.DataFrame:
    """The model's pooled scores of some judgements, each with its name, weather, first and last day."""
    parts = [
        each.scores.filter(pl.col("dimension") == "all", pl.col("forecaster") == MODEL).select(
            pl.lit(_name(each.model_version)).alias("judged"),
            pl.lit(each.weather.value).alias("weather"),
            pl.lit(f"{each.origins[0]:%Y-%m-%d}").alias("first"),
            pl.lit(f"{each.origins[-1]:%Y-%m-%d}").alias("last"),
            pl.exclude("dimension", "value"),
        )
        for each in others
    ]
    return pl.concat(parts) if parts else pl.DataFrame()


def comparison_chart(comparison: pl.DataFrame) -> Chart:
    """The difference of the mean pinball loss of every pair with its interval, as a share of B's loss."""
    rows = comparison.filter(pl.col("metric") == "pinball_mw")
    title = "Difference of the mean pinball loss, with its 95 % interval"
    said = "; ".join(
        f"{row['a']} against {row['b']}: {percent(row['difference'] / row['score_b'])}"
        for row in rows.iter_rows(named=True)
    )
    svg = inline_svg(comparison_figure(rows), name="comparison", title=title, description=f"{said}.")
    return Chart(title, "", Markup(svg))  # noqa: S704


def comparison_figure(pairs: pl.DataFrame) -> Figure:
    """A line per pair; left of zero the first one is better."""
    figure = Figure(figsize=(11.0, 0.8 + 0.32 * pairs.height), layout="constrained")
    axes = figure.add_subplot()
    for place, row in enumerate(pairs.iter_rows(named=True)):
        low, middle, high = (100 * row[name] / row["score_b"] for name in ("low", "difference", "high"))
        is_sure = low > 0 or high < 0
        axes.plot([low, high], [place, place], color=LIGHT["model"], lw=2.4)
        axes.plot([middle], [place], color=LIGHT["model"], marker="o", ms=6, mfc=LIGHT["model" if is_sure else "page"])
    axes.axvline(0.0, color=LIGHT["naive"], lw=1.2)
    axes.set_yticks(range(pairs.height), [f"{row['a']} against {row['b']}" for row in pairs.iter_rows(named=True)])
    axes.set_ylim(pairs.height - 0.5, -0.5)
    axes.set_xlabel("difference of the mean pinball loss, % of the second one's; left of zero the first is better")
    return figure


def comparison_table(comparison: pl.DataFrame) -> Table:
    """A row per pair and score."""
    heads = ("pair", "days of issue, weather", "score", "n", "first, MW", "second, MW", "difference, MW")
    rows = tuple(
        (
            Cell(f"{row['a']} against {row['b']}"),
            Cell(row["judged"]),
            Cell(row["metric"].removesuffix("_mw").upper().replace("PINBALL", "pinball")),
            Cell(count(row["n"])),
            Cell(megawatts(row["score_a"])),
            Cell(megawatts(row["score_b"])),
            Cell(megawatts(row["difference"]), tone=_tone(row["low"], row["high"])),
            Cell(f"{megawatts(row['low'])} to {megawatts(row['high'])}"),
            Cell(percent(row["probability_a_better"])),
        )
        for row in comparison.iter_rows(named=True)
    )
    return Table("Pairs on exactly the same points", (*heads, "95 % interval", "first is better"), rows)


def other_table(others: pl.DataFrame) -> Table:
    """A row per judgement besides the one this page shows."""
    heads = ("judged", "weather", "first day", "last day", "n", "missing", "pinball, MW", "skill vs naive")
    rows = tuple(
        (
            Cell(row["judged"]),
            Cell(row["weather"].replace("_", " ")),
            Cell(row["first"]),
            Cell(row["last"]),
            Cell(count(row["n"])),
            Cell(percent(row["missing_share"])),
            Cell(megawatts(row["pinball_mw"])),
            skill_cell(row["skill_pinball_vs_naive"]),
            Cell(percent(row["coverage_80"])),
        )
        for row in others.iter_rows(named=True)
    )
    return Table("Other judgements that were kept", (*heads, "80 % band holds"), rows)


def _tone(low: float, high: float) -> Tone:
    return "good" if high < 0 else "bad" if low > 0 else ""


def _name(model_version: str) -> str:
    is_model = model_version.isdecimal()
    return (
        f"model {model_version}"
        if is_model
        else f"trained again every {model_version.removeprefix('refit_P')[:-1]} days"
    )
