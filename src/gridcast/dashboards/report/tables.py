"""The tables of the report, as rows of finished text."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import polars as pl

from gridcast.dashboards.report.content import Targets
from gridcast.dashboards.report.numbers import NOTHING, count, megawatts, percent
from gridcast.dashboards.report.theme import FORECASTER_LABELS
from gridcast.domain.tables import Quality

Tone = Literal["", "good", "bad", "warn"]
MANY_MISSING: Final = 0.05
"""Share of missing or of estimated intervals from which a series is highlighted."""
_FLAGS: Final = tuple(each.value for each in Quality)
_DROPPED: Final = ("removed", "rejected")
_NOT_RULES: Final = {"series_id", "rows", "completeness", *_FLAGS, *_DROPPED}


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell: its text, its tone, and the filled share of its bar, if it has one."""

    text: str
    tone: Tone = ""
    bar: float | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """A caption, column heads, and rows whose first cell names the row; `foot` is a last, summing row."""

    caption: str
    heads: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    foot: tuple[Cell, ...] = ()


def lead_table(scores: pl.DataFrame, *, caption: str) -> Table:
    """A row per lead bucket and forecaster of a scorecard."""
    heads = (
        "lead time",
        "forecast",
        "n",
        "missing",
        "pinball, MW",
        "MAE, MW",
        "MAPE",
        "80 % band holds",
        "skill vs naive",
    )
    rows = tuple(
        (
            Cell(row["lead_bucket"]),
            Cell(FORECASTER_LABELS.get(row["forecaster"], row["forecaster"])),
            Cell(count(row["n"])),
            Cell(percent(row["missing_share"])),
            Cell(megawatts(row["pinball_mw"])),
            Cell(megawatts(row.get("mae_mw"))),
            Cell(percent(row.get("mape"), digits=2)),
            Cell(percent(row.get("coverage_80"))),
            skill_cell(row["skill_pinball_vs_naive"]),
        )
        for row in scores.iter_rows(named=True)
    )
    return Table(caption, heads, rows)


def series_table(scores: pl.DataFrame, *, order: tuple[str, ...], targets: Targets) -> Table:
    """A row per series: the model's scores, with the naive's loss beside its own."""
    heads = (
        *("series", "n", "missing", "pinball, MW", "naive's, MW"),
        *("skill vs naive", "skill vs linear", "MAPE", "bias, MW", "80 % band holds"),
    )
    model = {row["series_id"]: row for row in scores.filter(pl.col("forecaster") == "model").iter_rows(named=True)}
    naive = {row["series_id"]: row for row in scores.filter(pl.col("forecaster") == "naive").iter_rows(named=True)}
    known = [*(each for each in order if each in model), *sorted(set(model) - set(order))]
    low, high = targets.coverage_80
    rows = []
    for series_id in known:
        row = model[series_id]
        covered = row.get("coverage_80")
        is_off = covered is not None and not low <= covered <= high
        rows.append(
            (
                Cell(series_id),
                Cell(count(row["n"])),
                Cell(percent(row["missing_share"])),
                Cell(megawatts(row["pinball_mw"])),
                Cell(megawatts(naive.get(series_id, {}).get("pinball_mw"))),
                skill_cell(row["skill_pinball_vs_naive"]),
                Cell(percent(row.get("skill_pinball_vs_linear"))),
                Cell(percent(row.get("mape"), digits=2)),
                Cell(megawatts(row.get("bias_mw"))),
                Cell(percent(covered), tone="warn" if is_off else ""),
            )
        )
    return Table("Accuracy of the model, series by series", heads, tuple(rows))


def band_table(calibration: pl.DataFrame) -> Table:
    """A row per lead bucket: how often the 80 and 90 % bands held the actual; off by over 4 points is highlighted."""
    bands = calibration.filter(pl.col("kind") == "band")
    nominals = sorted(bands["nominal"].unique().to_list())
    rows = []
    for bucket in bands["lead_bucket"].unique(maintain_order=True).to_list():
        here = {row["nominal"]: row for row in bands.filter(pl.col("lead_bucket") == bucket).iter_rows(named=True)}
        cells = [_held(here.get(nominal, {}), nominal=nominal) for nominal in nominals]
        rows.append((Cell(bucket), Cell(count(max(row["n"] for row in here.values()))), *cells))
    heads = ("lead time", "n", *(f"{percent(nominal, digits=0)} band holds" for nominal in nominals))
    return Table("How often the bands held the actual", heads, tuple(rows))


def quality_table(summary: pl.DataFrame, *, order: tuple[str, ...]) -> Table:
    """A row per series: intervals by quality flag, rows taken out, and how often each rule spoke."""
    dropped = tuple(name for name in _DROPPED if name in summary.columns)
    rules = tuple(name for name in summary.columns if name not in _NOT_RULES)
    rank = {series_id: place for place, series_id in enumerate(order)}
    rows = sorted(
        summary.iter_rows(named=True), key=lambda row: (rank.get(row["series_id"], len(rank)), row["series_id"])
    )
    total: dict[str, Any] = {name: sum(row[name] or 0 for row in rows) for name in ("rows", *_FLAGS, *dropped, *rules)}
    total["series_id"] = "all series"
    spoken = (f"rule: {rule.replace('_', ' ')}" for rule in rules)
    heads = ("series", "intervals", "with a load", *_FLAGS, *(f"{name} rows" for name in dropped), *spoken)
    body = tuple(_quality_row(row, counted=(*dropped, *rules)) for row in rows)
    foot = _quality_row(total, counted=(*dropped, *rules))
    return Table("Quality of the cleaned readings, series by series", heads, body, foot)


def rule_table(rules: pl.DataFrame) -> Table:
    """A row per rule or reason of a `rule_totals` table: how often it spoke and what it did to the energy."""
    heads = ("rule", "what it did", "series", "intervals or rows", "energy, MWh")
    rows = tuple(
        (
            Cell(row["name"].replace("_", " ")),
            Cell("taken out" if row["kind"] == "removed" else "flagged, changed or noted"),
            Cell(count(row["series"])),
            Cell(count(row["rows"])),
            Cell(f"{-row['energy_mwh'] if row['kind'] == 'removed' else row['energy_mwh']:+,.1f}"),
        )
        for row in rules.iter_rows(named=True)
    )
    return Table("What each rule did, all measured series together", heads, rows)


def _quality_row(row: Mapping[str, Any], *, counted: tuple[str, ...]) -> tuple[Cell, ...]:
    rows = row["rows"] or 0
    complete = (row["good"] + row["estimated"] + row["edited"]) / rows if rows else None
    tones: dict[str, Tone] = {
        "bad": "bad" if row["bad"] else "",
        "missing": "warn" if rows and row["missing"] / rows >= MANY_MISSING else "",
        "estimated": "warn" if rows and row["estimated"] / rows >= MANY_MISSING else "",
        "removed": "warn" if row.get("removed") else "",
        "rejected": "bad" if row.get("rejected") else "",
    }
    return (
        Cell(row["series_id"]),
        Cell(count(rows)),
        Cell(percent(complete, digits=2), bar=complete),
        *(Cell(_zero(row[name]), tone=tones.get(name, "")) for name in (*_FLAGS, *counted)),
    )


def skill_cell(value: float | None) -> Cell:
    """A skill with its bar; a negative one is highlighted."""
    if value is None or math.isnan(value):
        return Cell(NOTHING)
    return Cell(percent(value), tone="bad" if value < 0 else "", bar=min(max(value, 0.0), 1.0))


def _held(row: Mapping[str, Any], *, nominal: float) -> Cell:
    observed = row.get("observed")
    is_off = observed is not None and abs(observed - nominal) > 0.04
    return Cell(percent(observed), tone="warn" if is_off else "")


def _zero(value: int | None) -> str:
    return "0" if not value else count(value)
