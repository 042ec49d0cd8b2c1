"""Daily peaks: how high and when they were expected, what came, and how good the alarms would have been."""

from datetime import date, timedelta
from typing import Any, Final

import polars as pl
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter

from gridcast.dashboards.report.content import ReportContent
from gridcast.dashboards.report.figures import Chart
from gridcast.dashboards.report.numbers import count, megawatts, percent, tick
from gridcast.dashboards.report.svg import inline_svg
from gridcast.dashboards.report.tables import Cell, Table
from gridcast.dashboards.report.theme import LIGHT
from gridcast.evaluation.peak_scores import peak_scores
from gridcast.evaluation.peaks import HOUR_COLUMNS

_EPOCH: Final = date(1970, 1, 1)
_MOST_TICKS: Final = 9


def peak_parts(content: ReportContent) -> dict[str, Any]:
    """What the page shows of peaks: `peak_chart`, `alarm_table` and `peak_table`, None while nothing was judged."""
    table, threshold = content.peaks, content.alarm_threshold
    if not table.height:
        return dict.fromkeys(("peak_chart", "alarm_table", "peak_table"))
    scores = peak_scores(table, alarm_threshold=threshold, by=["series_id"])
    rank = {series_id: place for place, series_id in enumerate(content.series_ids)}
    rows = sorted(
        scores.iter_rows(named=True), key=lambda row: (rank.get(row["series_id"], len(rank)), row["series_id"])
    )
    total = {"series_id": "all series", **peak_scores(table, alarm_threshold=threshold).row(0, named=True)}
    system = table.filter(pl.col("days_ahead") == 1, series_id=content.system_id)
    return {
        "peak_chart": peak_chart(system) if system.height else None,
        "alarm_table": alarm_table(rows, total=total, threshold=threshold),
        "peak_table": peak_table(rows, total=total),
    }


def peak_chart(days: pl.DataFrame) -> Chart:
    """The first whole day ahead of one series: size with bands and actual, and the hours expected and come true."""
    figure = Figure(figsize=(11.0, 3.2), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1.6, 1.0))
    draw_sizes(left, days=days.sort("date"))
    draw_hours(right, days=days)
    series_id, within = days["series_id"][0], days["actual_peak_mw"].is_between(days["p10"], days["p90"]).mean()
    title = f"Daily peaks of {series_id}, forecast for the first whole day ahead"
    description = (
        f"Left: size of the peak of each of {days.height} days with its bands, and what was measured; "
        f"{percent(within)} lay inside the 80 % band. Right: how likely each hour was said to hold "  # type: ignore[arg-type]
        "the peak, and in which share of the days it did."
    )
    return Chart(title, "", Markup(inline_svg(figure, name="peaks", title=title, description=description)))  # noqa: S704


def draw_sizes(axes: Axes, *, days: pl.DataFrame) -> None:
    """Draws the 80 and 90 % bands and the median of the peak's size, the measured peaks and the limit."""
    when = days["date"].to_physical().to_numpy()
    axes.fill_between(when, days["p05"], days["p95"], color=LIGHT["band-90"], lw=0, label="90 % band")
    axes.fill_between(when, days["p10"], days["p90"], color=LIGHT["band-80"], lw=0, label="80 % band")
    axes.plot(when, days["p50"], color=LIGHT["model"], lw=1.6, label="median")
    axes.plot(when, days["actual_peak_mw"], color=LIGHT["ink"], ls="none", marker="o", ms=3.2, mew=0, label="measured")
    if days["limit_mw"].null_count() < days.height:
        axes.plot(when, days["limit_mw"], color=LIGHT["issue"], lw=1.1, ls=(0, (4, 3)), label="limit")
    axes.margins(x=0.01, y=0.08)
    axes.xaxis.set_major_locator(FixedLocator(when[:: -(-len(when) // _MOST_TICKS)].tolist()))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda day, _: _day(day)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda load, _: tick(load)))
    axes.set_title("Size of the daily peak, MW")
    axes.legend(loc="best", fontsize=7.5, ncols=5)


def draw_hours(axes: Axes, *, days: pl.DataFrame) -> None:
    """Draws for each hour of the day the mean probability of holding the peak, and the share of days it did."""
    expected = days.select(pl.col(HOUR_COLUMNS).mean()).row(0)
    hours = range(len(HOUR_COLUMNS))
    measured = days["actual_hour"].drop_nulls().to_numpy()
    came = [float((measured == hour).sum()) / max(len(measured), 1) for hour in hours]
    axes.bar(hours, [each or 0.0 for each in expected], 0.8, color=LIGHT["band-80"], label="probability")
    axes.plot(hours, came, color=LIGHT["ink"], ls="none", marker="o", ms=3.6, mew=0, label="share of the days")
    axes.set_xticks(range(0, 24, 3), [f"{hour:02d}" for hour in range(0, 24, 3)])
    axes.yaxis.set_major_formatter(FuncFormatter(lambda share, _: percent(share, digits=0)))
    axes.grid(visible=False, axis="x")
    axes.set_xlabel("hour of the day")
    axes.set_title("Hour of the daily peak")
    axes.legend(loc="best", fontsize=7.5)


def alarm_table(rows: list[dict[str, Any]], *, total: dict[str, Any], threshold: float) -> Table:
    """A row per series: how well the probability of exceeding the limit was known, and the alarm made of it."""
    heads = ("series", "n", "limit exceeded", "Brier score", "Brier skill", "alarms right", "false", "missed", "quiet")
    caption = f"Exceeding the limit, and an alarm from a probability of {percent(threshold, digits=0)} on"
    body = tuple(_alarm_row(each) for each in rows)
    return Table(caption, (*heads, "accuracy", "precision", "recall", "F1"), body, _alarm_row(total))


def peak_table(rows: list[dict[str, Any]], *, total: dict[str, Any]) -> Table:
    """A row per series: errors of the peak's size and hour."""
    heads = ("series", "n", "missing", "size error, MW", "of the largest median, MW", "bias, MW", "pinball, MW")
    more = ("skill vs naive", "80 % band holds", "hour right", "hours apart")
    body = tuple(_peak_row(each) for each in rows)
    return Table("Size and hour of the daily peak, series by series", (*heads, *more), body, _peak_row(total))


def _alarm_row(row: dict[str, Any]) -> tuple[Cell, ...]:
    skill = row["brier_skill"]
    return (
        Cell(row["series_id"]),
        Cell(count(row["n"])),
        Cell(percent(row["exceeded_share"])),
        Cell("—" if row["brier"] is None else f"{row['brier']:.4f}"),
        Cell(percent(skill), tone="bad" if skill is not None and skill < 0 else ""),
        *(Cell(count(row[name])) for name in ("tp", "fp", "fn", "tn")),
        *(Cell(percent(row[name])) for name in ("accuracy", "precision", "recall", "f1")),
    )


def _peak_row(row: dict[str, Any]) -> tuple[Cell, ...]:
    apart = row["hour_mae_h"]
    return (
        Cell(row["series_id"]),
        Cell(count(row["n"])),
        Cell(percent(row["missing_share"])),
        *(Cell(megawatts(row[name])) for name in ("size_mae_mw", "medians_mae_mw", "size_bias_mw", "size_pinball_mw")),
        *(Cell(percent(row[name])) for name in ("skill_mae_vs_naive", "coverage_80", "hour_hit_rate")),
        Cell("—" if apart is None else f"{apart:.1f}"),
    )


def _day(days_since_epoch: float) -> str:
    day = _EPOCH + timedelta(days=round(days_since_epoch))
    return f"{day.day} {day:%b}"
