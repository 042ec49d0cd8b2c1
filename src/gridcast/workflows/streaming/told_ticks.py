"""Ticks of a stream in logs and traces: how much each took in, and how long its stages took."""

import contextlib
import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import accumulate
from typing import Final

from gridcast.monitoring.log_context import bound
from gridcast.monitoring.logs import tell
from gridcast.monitoring.traces import Stage, trace
from gridcast.workflows.streaming.tick_job import AtHand, TickJob

_LOG: Final = logging.getLogger(__name__)


@contextlib.contextmanager
def told_tick(here: AtHand, job: TickJob, *, number: int, rows: int) -> Iterator[None]:
    """Tell of the tick that runs in the block, once it is done.

    Args:
        here: what it works with.
        job: what it does.
        number: how many ticks there have been in this process, this one included.
        rows: how many rows of the log it takes in.
    """
    began = datetime.now(UTC)
    facts: dict[str, str | int] = {
        "issue_time": f"{job.issue_time:%Y-%m-%dT%H:%M:%SZ}",
        "model_version": "" if job.by is None else job.by.model.number,
        "rows": rows,
        "series": len(here.rules.hierarchy.ids),
    }
    with bound(tick=number), trace("tick", {f"gridcast.{name}": each for name, each in facts.items()}) as span:
        yield
        marks = list(accumulate((began, here.aggregated_at, here.forecast_at, datetime.now(UTC)), max))
        stages = [Stage(name, *marks[at : at + 2]) for at, name in enumerate(("clean", "forecast", "commit"))]
        span.stages(stages)
        seconds = {f"{each.name}_s": round((each.ended - each.began).total_seconds(), 4) for each in stages}
        tell(_LOG, "tick", fields={**facts, **seconds})
