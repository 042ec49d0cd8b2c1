"""From data/raw to data/processed: clean, sum up, join weather. All of it appears at once, or nothing."""

import contextlib
import hashlib
import json
import logging
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Final, NamedTuple

import polars as pl

from gridcast import __version__
from gridcast.domain.errors import GridcastError
from gridcast.features.weather_grid import mean_over_stations, on_grid
from gridcast.ingestion.atomic import disk_error
from gridcast.ingestion.parquet import write_parquet
from gridcast.ingestion.raw import data_hash, last_reading, read_holidays, read_weather, reading_counts
from gridcast.monitoring.logs import tell
from gridcast.workflows.readings.block_name import BlockName, cut_into_blocks
from gridcast.workflows.readings.processed import HOLIDAYS_FILE, WEATHER_FILE, Processed
from gridcast.workflows.readings.rules import CleaningRules
from gridcast.workflows.readings.special_days import CalendarRules
from gridcast.workflows.readings.workspace import Workspace

BLOCK_FILES: Final = "readings/month=*/children-*.parquet"
"""Files of the blocks in the staging folder: one a month and block, named alike in every month."""

_LOG: Final = logging.getLogger(__name__)
_YEARS_AHEAD: Final = 5
_METRICS: Final = "metrics.json"
_LOOK_EVERY_SECONDS: Final = 0.5


@dataclass(frozen=True, slots=True)
class BatchJob:
    """What a batch pipeline reads, by which rules, and where it writes.

    Attributes:
        raw: data/raw.
        staging: an empty folder for the results.
        temperature: Parquet file with `valid_time` and `temperature_c`, joined to the readings.
        blocks: what to clean, each in one piece.
        rules: how to clean.
        beam_flags: options for Beam, as on its command line; none: inside this process.
    """

    raw: Path
    staging: Path
    temperature: Path
    blocks: tuple[BlockName, ...]
    rules: CleaningRules
    beam_flags: tuple[str, ...] = ()


class Prepared(NamedTuple):
    """The clean history, whether an earlier one was reused, and what the pipeline that made it counted."""

    processed: Processed
    was_reused: bool
    metrics: Mapping[str, int]


def prepare(
    workspace: Workspace,
    *,
    rules: CleaningRules,
    calendar: CalendarRules | None = None,
    block_rows: int,
    run_batch: Callable[[BatchJob], Mapping[str, int]],
    beam_flags: Sequence[str] = (),
    on_progress: Callable[[int, int], None] = lambda _done, _blocks: None,
) -> Prepared:
    """Clean the raw history; reuse what is there when neither readings nor rules nor the calendar have changed.

    Args:
        workspace: where to read and write.
        rules: how to clean.
        calendar: holidays and events beside those the sources name; none if left out.
        block_rows: intervals that are cleaned in one piece.
        run_batch: the pipeline; returns what it counted.
        beam_flags: options for it.
        on_progress: called now and then with how many blocks are done, and of how many.

    Raises:
        GridcastError: there are no readings, or they cannot be written back.
    """
    newest = last_reading(workspace.raw)
    if newest is None:
        raise GridcastError(f'{workspace.raw}: no readings here; run "gridcast ingest" first.')
    until = rules.start_of_interval(newest) + rules.interval
    days = _special_days(workspace.raw, rules, calendar or CalendarRules(), until=until)
    fingerprint = _fingerprint(workspace.raw, rules, days)
    fresh = Processed(workspace.processed, fingerprint, rules.interval, rules.hierarchy, until)
    if _is_there(fresh):
        return Prepared(fresh, was_reused=True, metrics=_metrics(workspace.processed))

    staging = workspace.data_dir / ".processed.partial"
    shutil.rmtree(staging, ignore_errors=True)
    try:
        staging.mkdir()
        temperature = _write_weather(staging, raw=workspace.raw, rules=rules)
        write_parquet(days, staging / HOLIDAYS_FILE)
        blocks = _blocks(workspace.raw, rules, until=until, block_rows=block_rows)
        job = BatchJob(workspace.raw, staging, temperature, blocks, rules, tuple(beam_flags))
        with _told_of_progress(job, on_progress):
            metrics = run_batch(job)
        (staging / _METRICS).write_text(json.dumps(metrics, indent=1, sort_keys=True), encoding="utf-8")
        fresh.write_manifest(staging)
        _replace(workspace.processed, by=staging)
    except OSError as error:
        raise disk_error(error, workspace.processed) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return Prepared(fresh, was_reused=False, metrics=metrics)


@contextlib.contextmanager
def _told_of_progress(job: BatchJob, on_progress: Callable[[int, int], None]) -> Iterator[None]:
    """Count the blocks whose files are there while the pipeline runs, wherever it runs."""
    is_over = threading.Event()

    def look() -> None:
        told = 0
        while not is_over.wait(_LOOK_EVERY_SECONDS):
            done = _blocks_done(job)
            on_progress(done, len(job.blocks))
            if done != told:
                told = done
                tell(_LOG, "blocks", fields={"done": done, "blocks": len(job.blocks)})

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        is_over.set()
        watcher.join()
    tell(_LOG, "cleaned", fields={"blocks": len(job.blocks)})


def _blocks_done(job: BatchJob) -> int:
    return len({each.name for each in job.staging.glob(BLOCK_FILES)})


def _blocks(raw: Path, rules: CleaningRules, *, until: datetime, block_rows: int) -> tuple[BlockName, ...]:
    """The whole history, cut by series: a block needs no other, and none is read twice."""
    start = rules.start_of_interval(min(rules.series_since.values())) - rules.interval
    intervals = (until - start) // rules.interval
    received = reading_counts(raw)
    rows = {each: max(received.get(each, 0), intervals) for each in {*received, *rules.series_since}}
    return cut_into_blocks(rows, start=start, end=until, block_rows=block_rows)


def _metrics(directory: Path) -> dict[str, int]:
    found: dict[str, int] = json.loads((directory / _METRICS).read_text(encoding="utf-8"))
    return found


def _write_weather(directory: Path, *, raw: Path, rules: CleaningRules) -> Path:
    """Write every vintage of every station, and the mean of the newest, whose file is returned, to look at."""
    zone = rules.hierarchy.time_zones[rules.hierarchy.root]
    weather = on_grid(read_weather(raw), interval=rules.interval, time_zone=zone)
    write_parquet(weather, directory / WEATHER_FILE)
    temperature = directory / "temperature.parquet"
    write_parquet(mean_over_stations(weather), temperature)
    return temperature


def _special_days(raw: Path, rules: CleaningRules, calendar: CalendarRules, *, until: datetime) -> pl.DataFrame:
    """`SPECIAL_DAYS` from before the history until years after it, for forecasts from readings that are yet to come."""
    first = min(rules.series_since.values()).year - 1
    return calendar.special_days(read_holidays(raw), years=range(first, until.year + _YEARS_AHEAD + 1))


def _fingerprint(raw: Path, rules: CleaningRules, days: pl.DataFrame) -> str:
    edits = "" if rules.edits is None else rules.edits.write_csv()
    facts = [__version__, data_hash(raw), asdict(replace(rules, edits=None)), edits, days.write_csv()]
    return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()


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
