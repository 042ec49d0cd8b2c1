"""Registered models and baselines against each other, on exactly the same points."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import polars as pl

from gridcast.domain.errors import GridcastError, UsageError
from gridcast.evaluation.bootstrap import FEWEST_BLOCKS, Resampling
from gridcast.evaluation.comparison import compare_pairs, same_points
from gridcast.evaluation.scorecard import scorecard
from gridcast.evaluation.scored import LINEAR, MODEL, NAIVE
from gridcast.ingestion.atomic import write_files
from gridcast.ingestion.parquet import to_parquet
from gridcast.models.tensorflow.serving import Forecaster
from gridcast.registry.catalogue import RegisteredModel
from gridcast.workflows.forecasts.weather_use import WeatherKnown
from gridcast.workflows.judging.backtest import answers_of, folder_name
from gridcast.workflows.judging.breakdowns import week_scales
from gridcast.workflows.judging.judge_model import Judge, trained_until

BASELINES = (NAIVE, LINEAR)
_FACTS, _PAIRS, _SCORES = "comparison.json", "pairs.parquet", "scores.parquet"


@dataclass(frozen=True, slots=True)
class Compared:
    """What was measured.

    Attributes:
        pairs: every pair and score with its confidence interval, see `PAIRS`.
        scores: the scorecard of every contestant over the points all have scored.
        origins: when forecasts were issued, ascending.
        contestants: who was compared, such as 'model 3' and 'naive'.
        data_fingerprint: on which processed history.
        weather: which temperatures stood for the future.
    """

    pairs: pl.DataFrame
    scores: pl.DataFrame
    origins: tuple[datetime, ...]
    contestants: tuple[str, ...]
    data_fingerprint: str
    weather: WeatherKnown

    def write(self, directory: Path) -> Path:
        """Keep it in a folder of its own below `directory`, whole or not at all; returns the folder.

        Raises:
            GridcastError: the disk is full or cannot be written to.
        """
        facts = {
            "origins": [each.isoformat() for each in self.origins],
            "contestants": self.contestants,
            "data_fingerprint": self.data_fingerprint,
            "weather": self.weather,
        }
        name = folder_name("_vs_".join(self.contestants).replace(" ", "_"), self.weather)
        folder = directory / name
        contents = {
            folder / _PAIRS: to_parquet(self.pairs),
            folder / _SCORES: to_parquet(self.scores),
            folder / _FACTS: json.dumps(facts, indent=1).encode(),
        }
        write_files(contents, scratch=directory / ".writing" / name)
        return folder

    @classmethod
    def read(cls, folder: Path) -> "Compared | None":
        """The comparison kept in `folder`; None if there is none that can be read."""
        try:
            facts = json.loads((folder / _FACTS).read_text(encoding="utf-8"))
            return cls(
                pairs=pl.read_parquet(folder / _PAIRS),
                scores=pl.read_parquet(folder / _SCORES),
                origins=tuple(datetime.fromisoformat(each) for each in facts["origins"]),
                contestants=tuple(facts["contestants"]),
                data_fingerprint=facts["data_fingerprint"],
                weather=WeatherKnown(facts["weather"]),
            )
        except (OSError, ValueError, KeyError, TypeError, pl.exceptions.PolarsError):
            return None


def compare_models(
    models: Sequence[RegisteredModel], judge: Judge, *, baselines: Sequence[str] = (), resampling: Resampling
) -> Compared:
    """Ask every model, and `baselines` fitted before the first origin, for the same windows and compare the scores.

    Origins are the judge's that no model has been trained beyond, leads those all models forecast. The linear baseline
    gets the station mix of the first model.

    Raises:
        UsageError: there are fewer than two different contestants, no model among them, or other intervals.
        GridcastError: a model is damaged, or too few days are unseen by all or hold too few blocks.
    """
    forecasters = {f"model {each.version}": Forecaster.load(each.directory) for each in models}
    names = (*forecasters, *dict.fromkeys(baselines))
    _require(names, forecasters)
    first = next(iter(forecasters.values()))
    leads = min(each.leads for each in forecasters.values())
    task = judge.task(first, leads=leads, trained_until=max(trained_until(each) for each in models))
    _require_days(len(task.origins), resampling=resampling)
    parts, scales = [], {}
    for place, (name, forecaster) in enumerate(forecasters.items()):
        with_linear = place == 0 and LINEAR in names
        answers = answers_of(forecaster, judge.processed, task=task, with_linear=with_linear)
        scales = week_scales(answers.known, until=answers.known.index_of(task.origins[0]))
        wanted = [MODEL, *(each for each in baselines if place == 0)]
        parts.append(answers.points.filter(pl.col("forecaster").is_in(wanted)).with_columns(_named(name)))
    points = pl.concat(parts)
    zones = judge.processed.hierarchy.time_zones
    return Compared(
        pairs=compare_pairs(points, time_zone=zones[judge.processed.hierarchy.root], resampling=resampling),
        scores=scorecard(same_points(points), scales_mw=scales),
        origins=task.origins,
        contestants=names,
        data_fingerprint=judge.processed.fingerprint,
        weather=judge.weather,
    )


def _named(name: str) -> pl.Expr:
    is_model = pl.col("forecaster") == MODEL
    return pl.when(is_model).then(pl.lit(name)).otherwise("forecaster").alias("forecaster")


def _require(names: Sequence[str], forecasters: Mapping[str, Forecaster]) -> None:
    if len(names) < 2 or not forecasters:
        raise UsageError(
            f"to compare: {', '.join(names) or 'nothing'}; expected two or more different ones, at least one of them a "
            f"registered model, the others models or {' or '.join(BASELINES)}."
        )
    intervals = {name: each.interval for name, each in forecasters.items()}
    if len(set(intervals.values())) > 1:
        told = ", ".join(f"{name}: {interval}" for name, interval in intervals.items())
        raise UsageError(f"the models forecast different intervals ({told}); expected the same of all.")


def _require_days(days: int, *, resampling: Resampling) -> None:
    if days < FEWEST_BLOCKS * resampling.block:
        raise GridcastError(
            f"{days} days hold fewer than {FEWEST_BLOCKS} blocks of {resampling.block} days; expected more days or a "
            "shorter block. Raise --days, or choose a shorter --block."
        )
