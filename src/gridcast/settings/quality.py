"""The section `quality` of config/pipeline_config.yaml: limits of the rules, for all series and for some."""

from collections.abc import Iterable, Mapping
from dataclasses import fields
from datetime import timedelta
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, Field, model_validator

from gridcast.quality.limits import Limits
from gridcast.settings.strict import STRICT

_DEFAULT: Final = Limits()
_NAMES: Final = tuple(each.name for each in fields(Limits))


class QualitySettings(BaseModel):
    """Limits of all series (see Limits), other ones of `series` whose id fits a pattern, and a file of `edits`."""

    model_config = STRICT

    min_load_mw: float = _DEFAULT.min_load_mw
    max_load_mw: float | None = _DEFAULT.max_load_mw
    spike_z: float = _DEFAULT.spike_z
    spike_floor: float = _DEFAULT.spike_floor
    spike_jump: float = _DEFAULT.spike_jump
    flatline: timedelta | None = _DEFAULT.flatline
    unit_slip: bool = _DEFAULT.unit_slip
    clock_slip: bool = _DEFAULT.clock_slip
    max_interpolated_gap: timedelta = _DEFAULT.max_interpolated_gap
    max_estimated_gap: timedelta = _DEFAULT.max_estimated_gap
    series: dict[str, Limits] = Field(default_factory=dict)
    edits: Path | None = None

    @model_validator(mode="before")
    @classmethod
    def _series_start_from_the_limits_of_all(cls, values: Any) -> Any:
        if not isinstance(values, Mapping) or not isinstance(values.get("series"), Mapping):
            return values
        common = {name: values[name] for name in _NAMES if name in values}
        own = {
            pattern: {**common, **limits} if isinstance(limits, Mapping) else limits
            for pattern, limits in values["series"].items()
        }
        return {**values, "series": own}

    @model_validator(mode="after")
    def _limits_are_possible(self) -> "QualitySettings":
        _ = self.limits
        return self

    @property
    def limits(self) -> Limits:
        """Of every series that no pattern fits."""
        return Limits(**{name: getattr(self, name) for name in _NAMES})

    def resolve(self, series_ids: Iterable[str]) -> dict[str, Limits]:
        """Own limits of those series that have some: of several patterns that fit one, the first as written counts."""
        return {
            series_id: limits for series_id in series_ids if (limits := self._first_that_fits(series_id)) is not None
        }

    def _first_that_fits(self, series_id: str) -> Limits | None:
        return next((limits for pattern, limits in self.series.items() if fnmatchcase(series_id, pattern)), None)
