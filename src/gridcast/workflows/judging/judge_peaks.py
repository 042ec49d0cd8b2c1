"""How good the daily peaks of a backtest would have been."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from gridcast.evaluation.daily_peaks import daily_peaks, wall_time
from gridcast.evaluation.peak_scores import with_actual_peaks
from gridcast.evaluation.peaks import peaks
from gridcast.evaluation.scored import MODEL, NAIVE
from gridcast.ingestion.atomic import write_files
from gridcast.ingestion.parquet import to_parquet
from gridcast.workflows.judging.backtest import Backtest
from gridcast.workflows.judging.peak_limits import PeakLimits
from gridcast.workflows.readings.processed import Processed

_PEAKS = "peaks.parquet"
_FACTS = "peaks.json"


@dataclass(frozen=True, slots=True)
class PeakJudge:
    """Judges the peaks of backtests.

    Attributes:
        processed: the clean history the backtest was made on.
        kept: folder with the backtests; the peaks are kept beside the points.
        limits: which loads count as too high; learned from the days before the first origin.
    """

    processed: Processed
    kept: Path
    limits: PeakLimits

    def judge(self, backtest: Backtest, *, lead_correlation: Sequence[float]) -> pl.DataFrame:
        """The peak table of every origin with what then happened, see `with_actual_peaks`; kept as peaks.parquet.

        An equal table that was kept before is read instead. Temperatures are those of the backtest.

        Raises:
            GridcastError: the disk is full or cannot be written to.
        """
        limits_mw = self.limits.resolve(self.processed, before=backtest.origins[0])
        facts = {
            "identity": backtest.identity,
            "data_fingerprint": backtest.data_fingerprint,
            "origins": [each.isoformat() for each in backtest.origins],
            "weather": backtest.weather,
            "lead_correlation": list(lead_correlation),
            "limits_mw": limits_mw,
        }
        said, folder = json.dumps(facts, indent=1), self.kept / backtest.folder_name
        earlier = _kept(folder, facts=said)
        if earlier is not None:
            return earlier
        table = self._table(backtest, limits_mw=limits_mw, lead_correlation=lead_correlation)
        contents = {folder / _PEAKS: to_parquet(table), folder / _FACTS: said.encode()}
        write_files(contents, scratch=self.kept / ".writing" / f"{backtest.folder_name}-peaks")
        return table

    def _table(
        self, backtest: Backtest, *, limits_mw: dict[str, float], lead_correlation: Sequence[float]
    ) -> pl.DataFrame:
        zones, interval = self.processed.hierarchy.time_zones, self.processed.interval
        points = {name: backtest.points.filter(forecaster=name) for name in (MODEL, NAIVE)}
        measured = (
            points[MODEL].select("series_id", "valid_time", load_mw="actual_mw").unique(["series_id", "valid_time"])
        )
        naive = (
            points[NAIVE]
            .group_by("series_id", "issue_time", wall_time(pl.col("valid_time"), zones).dt.date().alias("date"))
            .agg(naive_peak_mw=pl.col("p50").max())
        )
        table = peaks(
            points[MODEL],
            time_zones=zones,
            interval=interval,
            correlation=np.asarray(lead_correlation),
            limits_mw=limits_mw,
        )
        actual = daily_peaks(measured, time_zones=zones, interval=interval)
        return with_actual_peaks(table, actual=actual, naive=naive)


def _kept(folder: Path, *, facts: str) -> pl.DataFrame | None:
    try:
        return pl.read_parquet(folder / _PEAKS) if (folder / _FACTS).read_text(encoding="utf-8") == facts else None
    except (OSError, ValueError, pl.exceptions.PolarsError):
        return None
