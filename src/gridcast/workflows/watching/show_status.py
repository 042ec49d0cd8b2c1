"""What is there, how fresh it is, and which model is in charge."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import polars as pl

from gridcast.domain.tables import CONSUMER
from gridcast.ingestion.raw import last_reading
from gridcast.registry.mlflow_registry import Registry
from gridcast.store.clean_readings import newest_of_each
from gridcast.store.store import Store
from gridcast.workflows.readings.processed import Processed
from gridcast.workflows.readings.workspace import Workspace
from gridcast.workflows.streaming import latency
from gridcast.workflows.watching.late_series import late_series

NOTHING_YET = 'nothing ingested yet; start with "gridcast ingest" or "gridcast demo".'


@dataclass(frozen=True, slots=True)
class Status:
    """Facts by name, the series whose readings are late, the newest events, and all of it in one sentence."""

    facts: dict[str, Any]
    late_series: list[str]
    events: pl.DataFrame
    verdict: str


def show_status(workspace: Workspace, *, registry: Registry, store: Store, max_reading_age: timedelta) -> Status:
    """The state of one installation. Ages are taken against the newest reading of any series."""
    processed, champion = Processed.find(workspace.processed), registry.champion()
    versions = registry.versions()
    with store.transaction() as connection:
        clean = dict(newest_of_each(connection).iter_rows())
    late = () if processed is None else _late(processed, clean, max_age=max_reading_age)
    facts = {
        "newest_raw_reading": last_reading(workspace.raw),
        "processed_until": None if processed is None else processed.observed_until,
        "series": 0 if processed is None else len(processed.hierarchy.ids),
        "models": len(versions),
        "champion": None if champion is None else champion.version,
        "challenger": next((each.version for each in versions if "challenger" in each.aliases), None),
        "newest_clean_reading": max(clean.values(), default=None),
        "newest_issue_time": store.newest_issue_time(),
        **_of_stream(store),
    }
    return Status(facts, list(late), store.events(), _verdict(facts, late))


def _of_stream(store: Store) -> dict[str, Any]:
    """How far a stream is behind, and how long readings took; null before any came live."""
    position, taken = store.position(CONSUMER), store.latencies()
    half, most = (latency.at_most(taken, stage=latency.RECEIVED_VISIBLE, share=each) for each in (0.5, 0.95))
    has_begun = position.issue_time is not None
    return {
        "stream_lag_rows": store.log_head() - position.log_offset if has_begun else None,
        "latency_p50_at_most_s": half,
        "latency_p95_at_most_s": most,
    }


def _late(processed: Processed, clean: Mapping[str, datetime], *, max_age: timedelta) -> tuple[str, ...]:
    """Against the newest reading of a stream or, before there is any, the end of the history."""
    if clean:
        return late_series(processed.hierarchy, clean, at=max(clean.values()), max_age=max_age)
    at = processed.observed_until
    loads = processed.readings(start=at - max_age).drop_nulls("load_mw")
    last = dict(loads.group_by("series_id").agg(pl.col("valid_time").max()).iter_rows())
    return late_series(processed.hierarchy, last, at=at, max_age=max_age)


def _verdict(facts: dict[str, Any], late: Sequence[str]) -> str:
    if facts["newest_raw_reading"] is None:
        return NOTHING_YET
    if facts["processed_until"] is None:
        return 'readings are in, not cleaned; next: "gridcast prepare".'
    if facts["champion"] is None:
        return 'no model is in charge; next: "gridcast train", "gridcast backtest", "gridcast model promote".'
    if late:
        return f"model {facts['champion']} is in charge; {len(late)} series are late: {', '.join(late)}."
    return f"model {facts['champion']} is in charge; no series is late."
