"""From data/raw to data/processed: clean, sum up, join weather. All of it appears at once, or nothing."""

import hashlib
import itertools
import json
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl

from gridcast import __version__
from gridcast.domain.errors import GridcastError
from gridcast.domain.series import Hierarchy
from gridcast.features.station_mix import mean_over_stations, on_grid
from gridcast.ingestion.atomic import disk_error
from gridcast.ingestion.parquet import write_parquet
from gridcast.ingestion.raw import data_hash, first_readings, last_reading, read_holidays, read_weather
from gridcast.quality.limits import Limits
from gridcast.workflows.processed import Processed
from gridcast.workflows.rules import CleaningRules
from gridcast.workflows.workspace import Workspace

Span = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class BatchJob:
    """What a batch pipeline reads, by which rules, and where it writes.

    Attributes:
        raw: data/raw.
        staging: an empty folder for the results.
        weather: Parquet file with `valid_time` and `temperature_c`.
        spans: the blocks of time to clean, without gaps between them.
        buckets: blocks of series in each span.
        rules: how to clean.
    """

    raw: Path
    staging: Path
    weather: Path
    spans: tuple[Span, ...]
    buckets: int
    rules: CleaningRules


def prepare(
    workspace: Workspace,
    *,
    interval: timedelta,
    limits: Limits,
    hierarchy: Callable[[list[str]], Hierarchy],
    months: int,
    buckets: int,
    run_batch: Callable[[BatchJob], None],
) -> tuple[Processed, bool]:
    """Clean the raw history; reuse what is there when neither readings nor rules have changed.

    Args:
        workspace: where to read and write.
        interval: length of the clean intervals.
        limits: of the quality rules.
        hierarchy: the tree over the series that were read.
        months: length of a block.
        buckets: blocks of series in each of them.
        run_batch: the pipeline.

    Returns:
        The processed history, and whether it was reused.

    Raises:
        GridcastError: there are no readings, or they cannot be written back.
    """
    since, newest = first_readings(workspace.raw), last_reading(workspace.raw)
    if newest is None:
        raise GridcastError(f'{workspace.raw}: no readings here; run "gridcast ingest" first.')
    rules = CleaningRules(interval, limits, hierarchy(sorted(since)), since)
    until = rules.start_of_interval(newest) + interval
    fresh = Processed(workspace.processed, _fingerprint(workspace.raw, rules), interval, rules.hierarchy, until)
    if _is_there(fresh):
        return fresh, True

    staging = workspace.data_dir / ".processed.partial"
    shutil.rmtree(staging, ignore_errors=True)
    try:
        staging.mkdir()
        weather = staging / "weather.parquet"
        write_parquet(_weather(workspace.raw, rules), weather)
        write_parquet(read_holidays(workspace.raw), staging / "holidays.parquet")
        spans = tuple(spans_of_months(min(since.values()), until, months=months))
        run_batch(BatchJob(workspace.raw, staging, weather, spans, buckets, rules))
        fresh.write_manifest(staging)
        _replace(workspace.processed, by=staging)
    except OSError as error:
        raise disk_error(error, workspace.processed) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return fresh, False


def _weather(raw: Path, rules: CleaningRules) -> pl.DataFrame:
    zone = rules.hierarchy.time_zones[rules.hierarchy.root]
    return on_grid(mean_over_stations(read_weather(raw)), interval=rules.interval, time_zone=zone)


def spans_of_months(start: datetime, end: datetime, *, months: int) -> list[Span]:
    """[start, end) cut at the starts of UTC months, so many months apart.

    >>> spans = spans_of_months(datetime(2024, 1, 30, tzinfo=UTC), datetime(2024, 5, 9, tzinfo=UTC), months=2)
    >>> [f"{start:%d %b} to {end:%d %b}" for start, end in spans]
    ['30 Jan to 01 Mar', '01 Mar to 01 May', '01 May to 09 May']
    """
    first = datetime(start.year, start.month, 1, tzinfo=UTC)
    cuts = pl.datetime_range(first, end, f"{months}mo", closed="left", time_zone="UTC", eager=True).to_list()
    edges = [start, *(each for each in cuts if each > start), end]
    return list(itertools.pairwise(edges))


def _fingerprint(raw: Path, rules: CleaningRules) -> str:
    facts = json.dumps([__version__, data_hash(raw), asdict(rules)], sort_keys=True, default=str)
    return hashlib.sha256(facts.encode()).hexdigest()


def _is_there(fresh: Processed) -> bool:
    """Whether an equal history lies in the folder; one that cannot be read is not equal."""
    try:
        found = Processed.find(fresh.directory)
    except GridcastError:
        return False
    return found is not None and found.fingerprint == fresh.fingerprint


def _replace(directory: Path, *, by: Path) -> None:
    old = directory.with_name(f".{directory.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if directory.exists():
        directory.rename(old)
    by.rename(directory)
    shutil.rmtree(old, ignore_errors=True)
