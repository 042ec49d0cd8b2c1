"""What was measured of a model besides its backtest, and is still about the history at hand."""

import re
from dataclasses import dataclass
from typing import Final

from gridcast.workflows.forecasts.weather_use import WeatherKnown
from gridcast.workflows.judging.backtest import Backtest
from gridcast.workflows.judging.compare_models import Compared
from gridcast.workflows.readings.processed import Processed
from gridcast.workflows.readings.workspace import Workspace

MOST_COMPARISONS: Final = 4
"""Comparisons that are shown, the newest first."""


@dataclass(frozen=True, slots=True)
class KeptScores:
    """Judgements of a model on other days, other weather or other schedules of training, and against other models."""

    others: tuple[Backtest, ...] = ()
    comparisons: tuple[Compared, ...] = ()

    @classmethod
    def find(cls, workspace: Workspace, processed: Processed, *, version: str, shown: Backtest | None) -> "KeptScores":
        """Everything about model `version`, and every schedule of trainings, but what is `shown` already."""
        found = [
            Backtest.read(folder, model_version=name, weather=weather)
            for weather in WeatherKnown
            for folder, name in (
                (workspace.backtest, version),
                (workspace.evaluation, version),
                *((workspace.backtest, each) for each in _schedules(workspace)),
            )
        ]
        others = [each for each in found if each is not None and each.data_fingerprint == processed.fingerprint]
        shown_as = None if shown is None else (shown.identity, shown.origins)
        return cls(
            tuple(each for each in others if (each.identity, each.origins) != shown_as),
            _comparisons(workspace, processed, version=version),
        )


def _schedules(workspace: Workspace) -> list[str]:
    """Names of the schedules whose backtests were kept."""
    found = (re.match(r"refit_P\d+D", each.name) for each in workspace.backtest.glob("refit_*"))
    return sorted({each[0] for each in found if each})


def _comparisons(workspace: Workspace, processed: Processed, *, version: str) -> tuple[Compared, ...]:
    folders = sorted(workspace.comparisons.glob("*/"), key=lambda each: each.stat().st_mtime, reverse=True)
    found = [Compared.read(folder) for folder in folders]
    of_it = [
        each
        for each in found
        if each is not None
        and f"model {version}" in each.contestants
        and each.data_fingerprint == processed.fingerprint
    ]
    return tuple(of_it[:MOST_COMPARISONS])
