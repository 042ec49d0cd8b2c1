"""What requests may ask for, checked where it enters."""

import re
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Final, Generic, TypeVar

from fastapi import Path, Query
from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, Field

from gridcast.app.errors import BadRequestError
from gridcast.domain.lead_time import LEAD_BUCKETS

_FIRST: Final = datetime(1900, 1, 1, tzinfo=UTC)
_LAST: Final = datetime(2200, 1, 1, tzinfo=UTC)
_LONGEST_LEAD: Final = LEAD_BUCKETS[-1].end
_MOST_TEXT: Final = 200
_NUMBER: Final = re.compile(r"\s*[+-]?[\d_.]+([eE][+-]?\d+)?\s*")

Item = TypeVar("Item")


def _written_out(value: object) -> object:
    """Numbers, which pydantic would take for seconds or days, are no times."""
    if isinstance(value, int | float) or (isinstance(value, str) and _NUMBER.fullmatch(value)):
        raise ValueError("expected text in ISO 8601")
    return value


def _bounded(moment: datetime) -> datetime:
    try:
        found = moment.astimezone(UTC)
    except OverflowError:
        found = None
    if found is None or not _FIRST <= found < _LAST:
        raise ValueError("expected a time between 1900 and 2200")
    return found


def _lead(length: timedelta) -> timedelta:
    if not timedelta(0) <= length < _LONGEST_LEAD:
        raise ValueError("expected a lead time from PT0S up to less than P7D")
    return length


Moment = Annotated[AwareDatetime, BeforeValidator(_written_out), AfterValidator(_bounded)]
"""A time with its UTC offset, as UTC."""
Lead = Annotated[timedelta, BeforeValidator(_written_out), AfterValidator(_lead)]
"""A lead time, ISO 8601 such as PT24H."""
Day = Annotated[date, BeforeValidator(_written_out)]
"""A local day."""
SeriesId = Annotated[str, Path(min_length=1, max_length=_MOST_TEXT, description="The series.")]
Limit = Annotated[int, Query(ge=1, le=1000, description="Items of one page.")]
Cursor = Annotated[int | None, Query(ge=0, le=2**53, description="The `next` of the page before.")]
Text = Annotated[str, Field(min_length=1, max_length=_MOST_TEXT)]


class Page(BaseModel, Generic[Item]):
    """Some of the items, and the cursor of those that follow."""

    items: list[Item]
    next: int | None = None


def require_span(start: datetime, end: datetime, *, longest: timedelta) -> None:
    """Refuse a span that is empty or too long.

    Raises:
        BadRequestError: it is.
    """
    if not start < end:
        raise BadRequestError(
            f"start {start:%Y-%m-%dT%H:%MZ} is not before end {end:%Y-%m-%dT%H:%MZ}; expected it to be."
        )
    if end - start > longest:
        raise BadRequestError(
            f"{end - start} were asked for; expected at most {longest.days} days. Ask for a part, or use /v1/export."
        )
