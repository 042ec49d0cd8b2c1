"""The section `calendar` of config/pipeline_config.yaml: whose holidays series have, and a file of one-off events."""

from collections.abc import Iterable, Mapping
from dataclasses import fields
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, Field, model_validator

from gridcast.ingestion.public_holidays import Place
from gridcast.settings.strict import STRICT

_NAMES: Final = tuple(each.name for each in fields(Place))


class CalendarSettings(BaseModel):
    """The place of all series (see Place), other ones of `series` whose id fits a pattern, and a file of `events`."""

    model_config = STRICT

    country: str | None = None
    subdivision: str | None = None
    categories: tuple[str, ...] = Place().categories
    series: dict[str, Place] = Field(default_factory=dict)
    events: Path | None = None

    @model_validator(mode="before")
    @classmethod
    def _series_start_from_the_place_of_all(cls, values: Any) -> Any:
        if not isinstance(values, Mapping) or not isinstance(values.get("series"), Mapping):
            return values
        common = {name: values[name] for name in _NAMES if name in values}
        own = {
            pattern: {**_inherited(common, by=place), **place} if isinstance(place, Mapping) else place
            for pattern, place in values["series"].items()
        }
        return {**values, "series": own}

    @model_validator(mode="after")
    def _place_exists(self) -> "CalendarSettings":
        _ = self.place
        return self

    @property
    def place(self) -> Place:
        """Of every series that no pattern fits."""
        return Place(**{name: getattr(self, name) for name in _NAMES})

    def resolve(self, series_ids: Iterable[str]) -> dict[str, Place]:
        """The place of every series: of several patterns that fit one, the first as written counts."""
        common = self.place
        return {series_id: self._first_that_fits(series_id) or common for series_id in series_ids}

    def _first_that_fits(self, series_id: str) -> Place | None:
        return next((place for pattern, place in self.series.items() if fnmatchcase(series_id, pattern)), None)


def _inherited(common: Mapping[str, Any], *, by: Mapping[str, Any]) -> dict[str, Any]:
    """What a place takes over from that of all series; another country has other subdivisions."""
    return {name: value for name, value in common.items() if name != "subdivision" or "country" not in by}
