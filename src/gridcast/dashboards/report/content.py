"""What a report is made of: plain frames, numbers and text, handed in by the caller."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import polars as pl

from gridcast.domain.quantiles import QUANTILE_COLUMNS
from gridcast.domain.tables import EXPLANATIONS
from gridcast.evaluation.peak_scores import SCORED_COLUMNS
from gridcast.evaluation.peaks import PEAKS

SCORE_COLUMNS: Final = ("forecaster", "n", "missing_share", "pinball_mw", "skill_pinball_vs_naive")
REQUIRED: Final[dict[str, tuple[str, ...]]] = {
    "fan": ("series_id", "issue_time", "valid_time", *QUANTILE_COLUMNS),
    "actuals": ("series_id", "valid_time", "load_mw", "quality"),
    "accuracy_by_lead": (*SCORE_COLUMNS, "lead_bucket"),
    "accuracy_by_series": (*SCORE_COLUMNS, "series_id"),
    "calibration": ("forecaster", "lead_bucket", "kind", "nominal", "observed", "n"),
    "data_quality": ("series_id", "rows", "good", "estimated", "edited", "bad", "missing", "removed"),
    "quality_worst": ("series_id", "bad", "missing", "estimated", "main_rule"),
    "quality_rules": ("kind", "name", "series", "rows", "energy_mwh"),
    "replay": (*SCORE_COLUMNS, "lead_bucket"),
    "breakdown": (*SCORE_COLUMNS, "dimension", "value", "coverage_80"),
    "comparison": ("judged", "metric", "a", "b", "score_a", "score_b", "difference", "low", "high", "n"),
    "others": (*SCORE_COLUMNS, "judged", "weather", "first", "last", "coverage_80"),
    "explanation": tuple(EXPLANATIONS.names()),
    "peaks": (*PEAKS.names(), *SCORED_COLUMNS),
}
"""Columns each frame carries when it has any row."""


@dataclass(frozen=True, slots=True)
class Targets:
    """When a model is good enough: least skill against the baselines, and the range its 80 % band must cover."""

    skill_vs_naive: float = 0.45
    skill_vs_linear: float = 0.0
    coverage_80: tuple[float, float] = (0.76, 0.84)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class ReportContent:
    """Everything one report shows; a frame left out or empty becomes a sentence saying what is not there yet.

    `time_zones` maps each series to its IANA zone and gives the order of series. `fan` holds one issue time.
    `headline`, the accuracy frames and `replay` are what `gridcast.evaluation.scorecard` returns, `calibration`
    what `gridcast.evaluation.calibration` returns, `data_quality` what `gridcast.quality.summary` returns: columns
    it does not require are counts per rule; `rejected` may be added. `quality_worst` is of `worst_offenders`,
    `quality_rules` of `rule_totals` there. `breakdown` is what `breakdowns` returns, `comparison` of
    `comparison_frame`, `others` of `other_scores`. `explanation` says what moved the fan of the system
    (`EXPLANATIONS`), `explanation_note` why there is none. `peaks`
    is of `with_actual_peaks`. Times are aware, loads MW, shares fractions.

    Raises:
        ValueError: a frame lacks a column, the fan has several issue times, or `generated_at` has no zone.
    """

    title: str
    generated_at: datetime
    system_id: str
    time_zones: Mapping[str, str]
    headline: Mapping[str, float | int | None] = field(default_factory=dict)
    targets: Targets = field(default_factory=Targets)
    measured: str = ""
    fan: pl.DataFrame = field(default_factory=pl.DataFrame)
    actuals: pl.DataFrame = field(default_factory=pl.DataFrame)
    accuracy_by_lead: pl.DataFrame = field(default_factory=pl.DataFrame)
    accuracy_by_series: pl.DataFrame = field(default_factory=pl.DataFrame)
    calibration: pl.DataFrame = field(default_factory=pl.DataFrame)
    data_quality: pl.DataFrame = field(default_factory=pl.DataFrame)
    quality_worst: pl.DataFrame = field(default_factory=pl.DataFrame)
    quality_rules: pl.DataFrame = field(default_factory=pl.DataFrame)
    breakdown: pl.DataFrame = field(default_factory=pl.DataFrame)
    comparison: pl.DataFrame = field(default_factory=pl.DataFrame)
    others: pl.DataFrame = field(default_factory=pl.DataFrame)
    peaks: pl.DataFrame = field(default_factory=pl.DataFrame)
    alarm_threshold: float = 0.5
    replay: pl.DataFrame = field(default_factory=pl.DataFrame)
    replay_note: str = ""
    explanation: pl.DataFrame = field(default_factory=pl.DataFrame)
    explanation_note: str = ""
    model_card: Mapping[str, str] = field(default_factory=dict)
    reproduce: Sequence[str] = ()

    def __post_init__(self) -> None:
        if self.generated_at.tzinfo is None:
            raise ValueError(f"generated_at {self.generated_at} has no time zone; expected an aware time.")
        for name, columns in REQUIRED.items():
            frame: pl.DataFrame = getattr(self, name)
            missing = [column for column in columns if column not in frame.columns]
            if frame.height and missing:
                raise ValueError(f"{name} has columns {frame.columns}; expected also {missing}.")
        if self.fan.height and self.fan["issue_time"].n_unique() > 1:
            raise ValueError(f"fan has {self.fan['issue_time'].n_unique()} issue times; expected one.")

    @property
    def series_ids(self) -> tuple[str, ...]:
        """The system first, then the others in the order of `time_zones`."""
        others = tuple(each for each in self.time_zones if each != self.system_id)
        return (self.system_id, *others)
