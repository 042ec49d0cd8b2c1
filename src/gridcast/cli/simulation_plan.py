"""What `gridcast simulate` is to send, from what was asked for and what there is."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from gridcast.cli.installation import Installation
from gridcast.domain.errors import UsageError
from gridcast.ingestion.sample import TIME_ZONE, read_sample
from gridcast.workflows.readings.processed import Processed
from gridcast.workflows.readings.simulate import MAX_RATE, Pace
from gridcast.workflows.readings.simulated_load import Fleet, continued, numbered, week_shapes
from gridcast.workflows.readings.simulated_traffic import Traffic

_RATE = 1_000.0
_SPAN = timedelta(minutes=1)
_YEAR = timedelta(days=365)
_DAY = timedelta(days=1)
_MOST_ROUNDS = 10_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What was asked for; None: the default. `is_now`: readings of the present, as time goes by."""

    rate: float | None
    span: timedelta | None
    rounds: int | None
    start: datetime | None
    reading_interval: timedelta | None
    is_now: bool
    seed: int


def planned(wanted: Wanted, here: Installation, *, series: int | None) -> tuple[Traffic, Pace]:
    """What is sent, and how fast: `series` made-up series, or the measured ones of the history (None).

    Raises:
        UsageError: there is no history to go on from, or the wishes do not go together.
    """
    history, clock = Processed.find(here.workspace.processed), datetime.now(UTC)
    fleet = _fleet(here, history, series=series, seed=wanted.seed)
    step = wanted.reading_interval or (history.interval if history else here.settings.pipeline.interval)
    if step > _DAY or _DAY % step:
        raise UsageError(f"--reading-interval {step}: expected a whole part of a day, such as PT6S or PT15M.")
    rate, span = _speed(wanted, readings=len(fleet.series_ids), step=step)
    if wanted.is_now:
        traffic = Traffic(fleet, _floor(clock, step) - step, step, wanted.seed, clock)
    else:
        begin = wanted.start or (history.observed_until if history and series is None else None)
        begin = begin or clock - _length(wanted.rounds, rate=rate, span=span, readings=len(fleet.series_ids), step=step)
        traffic = Traffic(fleet, _floor(begin, step), step, wanted.seed)
    return traffic, Pace.of(traffic, rate=rate, span=span, rounds=wanted.rounds, now=clock)


def _fleet(here: Installation, history: Processed | None, *, series: int | None, seed: int) -> Fleet:

    shapes = week_shapes(read_sample().readings, time_zone=TIME_ZONE)
    if series is not None:
        clock = here.settings.pipeline.hierarchy.time_zone or TIME_ZONE
        return numbered(series, shapes=shapes, time_zone=clock, seed=seed)
    if history is None:
        raise UsageError(
            f"{here.workspace.processed}: no clean readings here to go on from; expected a history, or made-up series. "
            'Run "gridcast prepare", or give their number with --series.'
        )
    return continued(history, shapes=shapes, seed=seed)


def _speed(wanted: Wanted, *, readings: int, step: timedelta) -> tuple[float, timedelta | None]:
    """Readings a second, and for how long."""
    span = _SPAN if wanted.span is None and wanted.rounds is None else wanted.span
    if not wanted.is_now:
        return _RATE if wanted.rate is None else wanted.rate, span
    if wanted.rate is not None or wanted.start is not None:
        raise UsageError("--now beside --rate or --start: the present sets both; expected it without them.")
    rate = readings / step.total_seconds()
    if rate > MAX_RATE:
        raise UsageError(
            f"--now: {readings:,} series each {step} are {rate:,.0f} readings a second; expected at most {MAX_RATE:,}. "
            "Give fewer --series or a longer --reading-interval."
        )
    return rate, span


def _length(rounds: int | None, *, rate: float, span: timedelta | None, readings: int, step: timedelta) -> timedelta:
    """How much time of the readings passes; a year where nothing tells."""
    by_rate = [-int(-rate * span.total_seconds() // readings)] if span is not None and rate else []
    by_rounds = [rounds] if rounds else []
    return min((min(each, _MOST_ROUNDS) * step for each in (*by_rate, *by_rounds)), default=_YEAR)


def _floor(time_: datetime, step: timedelta) -> datetime:
    midnight = time_.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight + (time_ - midnight) // step * step
