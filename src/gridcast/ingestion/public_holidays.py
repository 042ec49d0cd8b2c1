"""Holidays of a country or a part of it, as the package `holidays` knows them."""

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from gridcast.domain.errors import UsageError
from gridcast.domain.tables import HOLIDAYS

if TYPE_CHECKING:
    from holidays import HolidayBase

_LANGUAGE: Final = "en_US"
"""Of the names, so that they are the same on every machine; countries without it have names in their own."""
_NOT_OFF: Final = "workday"
"""The category of days that are worked although they fall on a weekend."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where people have the same holidays.

    Attributes:
        country: ISO 3166-1 code of two letters; None: nowhere, without any holidays.
        subdivision: ISO 3166-2 code without the country, of a state or province; None: what the whole country keeps.
        categories: which kinds of holidays count.

    Raises:
        UsageError: there is no such place, or it has no such kind of holidays.
    """

    country: str | None = None
    subdivision: str | None = None
    categories: tuple[str, ...] = ("public",)

    def __post_init__(self) -> None:
        if self.country is None:
            if self.subdivision is not None:
                raise UsageError(f"subdivision is {self.subdivision!r} without a country; expected its country too.")
            return
        _require_country(self.country)
        known = _holidays(self.country)
        if self.subdivision is not None:
            _require(self.subdivision, known.subdivisions, what=f"subdivision of {self.country}")
        kinds = [each for each in known.supported_categories if each != _NOT_OFF]
        for category in self.categories or ("",):
            _require(category, kinds, what=f"category of holidays in {self.country}")


def public_holidays(place: Place, *, years: Iterable[int]) -> pl.DataFrame:
    """HOLIDAYS of a place by date, with the days they are observed on where they fall on a weekend."""
    if place.country is None:
        return HOLIDAYS.to_frame()
    found = _holidays(place.country, subdivision=place.subdivision, categories=place.categories, years=years)
    return pl.DataFrame(sorted(found.items()), schema=HOLIDAYS, orient="row")


def _holidays(
    country: str,
    *,
    subdivision: str | None = None,
    categories: tuple[str, ...] | None = None,
    years: Iterable[int] = (),
) -> "HolidayBase":
    from holidays import country_holidays

    return country_holidays(
        country, subdiv=subdivision, categories=categories, years=years, expand=False, language=_LANGUAGE
    )


def _require_country(country: str) -> None:
    try:
        is_known = re.fullmatch("[A-Z]{2}", country) is not None and _holidays(country) is not None
    except NotImplementedError:
        is_known = False
    if not is_known:
        from holidays import list_supported_countries

        _require(country, sorted(list_supported_countries(include_aliases=False)), what="country")


def _require(name: str, known: Sequence[str], *, what: str) -> None:
    if name in known:
        return
    close = difflib.get_close_matches(name.upper(), known, n=1) or difflib.get_close_matches(name.lower(), known, n=1)
    hint = f" (did you mean {close[0]!r}?)" if close else ""
    raise UsageError(f"{name!r} is no {what}{hint}; expected one of {', '.join(known) or 'none, as it has none'}.")
