"""Moments as the store keeps them: whole microseconds since 1970, UTC."""

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def microseconds(moment: datetime) -> int:
    """A moment as it is stored."""
    return (moment - _EPOCH) // _MICROSECOND


def moment(microseconds: int) -> datetime:
    """The moment that was stored."""
    return _EPOCH + microseconds * _MICROSECOND


def moment_or_none(microseconds: int | None) -> datetime | None:
    """The moment that was stored, if one was."""
    return None if microseconds is None else moment(microseconds)
