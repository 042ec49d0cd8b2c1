"""What every explanation of a forecast is made of: which forecast, its inputs, and the rows that come out."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from gridcast.domain.tables import EXPLANATIONS
from gridcast.evaluation.attribution import QUANTITIES, quantities_of
from gridcast.features.panel import Panel
from gridcast.features.windows import Inputs
from gridcast.ingestion.atomic import write_files
from gridcast.ingestion.parquet import to_parquet
from gridcast.models.tensorflow.serving import Forecaster
from gridcast.workflows.forecasts.refresh import Refresh

Floats = npt.NDArray[np.floating]
Places = npt.NDArray[np.int64]
Times = npt.NDArray[np.datetime64]


@dataclass(frozen=True, slots=True)
class Explained:
    """Which forecast is to be explained.

    Attributes:
        series_ids: of which series.
        issue_time: when it was issued.
        model_version: of the forecaster.
        is_newest: whether all that is in the history was known then, see `known_at`.
    """

    series_ids: tuple[str, ...]
    issue_time: datetime
    model_version: str
    is_newest: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Contributions:
    """What makes up the difference of two forecasts; MW, the last axis being `QUANTITIES`.

    Attributes:
        groups: names of the group axis.
        reference_issue_time: when the forecast that is compared with was issued.
        valid_time: (lead,), UTC.
        reference_valid_time: (lead,), UTC.
        forecast_mw: (series, lead, quantity).
        reference_mw: (series, lead, quantity), of the forecast that is compared with.
        contribution_mw: (group, series, lead, quantity), what adds up to the difference.
    """

    groups: tuple[str, ...]
    reference_issue_time: datetime
    valid_time: Times
    reference_valid_time: Times
    forecast_mw: Floats
    reference_mw: Floats
    contribution_mw: Floats

    def rows(self, explained: Explained) -> pl.DataFrame:
        """`EXPLANATIONS`, ordered by series, quantity, time and group."""
        series, lead, quantity, group = self._places()
        return pl.DataFrame(
            {
                "series_id": np.array(explained.series_ids, dtype=object)[series].tolist(),
                "issue_time": [explained.issue_time] * len(series),
                "reference_issue_time": [self.reference_issue_time] * len(series),
                "model_version": explained.model_version,
                "valid_time": pl.Series(self.valid_time[lead]).dt.replace_time_zone("UTC"),
                "reference_valid_time": pl.Series(self.reference_valid_time[lead]).dt.replace_time_zone("UTC"),
                "quantity": np.array(QUANTITIES, dtype=object)[quantity].tolist(),
                "input_group": np.array(self.groups, dtype=object)[group].tolist(),
                "contribution_mw": self.contribution_mw[group, series, lead, quantity],
                "forecast_mw": self.forecast_mw[series, lead, quantity],
                "reference_mw": self.reference_mw[series, lead, quantity],
            },
            schema=EXPLANATIONS,
        )

    def _places(self) -> npt.NDArray[np.intp]:
        """Positions on the axes series, lead, quantity and group of every row, (axis, row)."""
        series, leads, quantities = self.forecast_mw.shape
        places = np.indices((series, quantities, leads, len(self.groups))).reshape(4, -1)
        ordered: npt.NDArray[np.intp] = places[[0, 2, 1, 3]]
        return ordered


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """Windows of some series, asked for as `issue_forecast` asks.

    Attributes:
        forecaster: who is asked.
        refresh: how answers are adapted.
        rows: (window,), rows of the series on a panel.
    """

    forecaster: Forecaster
    refresh: Refresh
    rows: Places

    def inputs(self, panel: Panel, *, origin: int, leads: int | None = None) -> Inputs:
        """What the model is given for all windows at one origin."""
        origins = np.full(len(self.rows), origin)
        return self.refresh.inputs(
            self.forecaster, panel, series=self.rows, origin=origins, leads=leads or self.forecaster.leads
        )

    def quantiles(self, inputs: Inputs) -> Floats:
        """The forecasts, (window, lead, quantile), MW."""
        return self.refresh.told(self.forecaster.predict(inputs), inputs, series=self.rows)

    def quantities(self, many: Sequence[Inputs]) -> Floats:
        """`QUANTITIES` of several sets of inputs, (set, window, lead, quantity), MW, in one batch."""
        together = {name: np.concatenate([each[name] for each in many]) for name in many[0]}
        answers = np.split(self.forecaster.predict(together), len(many))
        told = (self.refresh.told(each, of, series=self.rows) for each, of in zip(answers, many, strict=True))
        return np.stack([quantities_of(each) for each in told])


def asked_of(forecaster: Forecaster, refresh: Refresh, panel: Panel, *, series_ids: Sequence[str]) -> Asked:
    """Windows of these series of a panel."""
    return Asked(forecaster, refresh, np.array([panel.series_ids.index(each) for each in series_ids]))


def keep_explanation(rows: pl.DataFrame, directory: Path, *, name: str) -> Path:
    """Keep `EXPLANATIONS` below `directory`, by model version and issue time, in place of those of that `name`.

    Raises:
        GridcastError: the disk is full or cannot be written to.
    """
    first = rows.row(0, named=True)
    path = directory / str(first["model_version"]) / f"{first['issue_time']:%Y%m%dT%H%MZ}_{name}.parquet"
    write_files({path: to_parquet(rows)}, scratch=directory / ".writing" / path.stem)
    return path
