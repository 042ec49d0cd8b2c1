"""The part of `gridcast stream` that hands the work to many workers."""

import functools
import threading
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from gridcast.cli.open_source import open_source
from gridcast.cli.output import remark
from gridcast.cli.stop import stop_asked
from gridcast.domain.errors import UsageError
from gridcast.settings.app import StoreSettings, store_url
from gridcast.store.store import Store

if TYPE_CHECKING:
    from gridcast.cli.installation import Installation
    from gridcast.ingestion.source import Source
    from gridcast.settings.sources import SourceSettings

_DEFAULTS = {
    "FlinkRunner": (
        "--checkpointing_interval=10000",
        "--finish_bundle_before_checkpointing",
        "--max_bundle_time_mills=200",
    )
}
"""Of Beam's options, by runner. Flink keeps no checkpoints unless told, and holds back what a bundle that is ended by a
checkpoint has made until the next one begins, which behind a source that makes one element is never. What a bundle has
made, timers too, goes on when it ends, after a second otherwise: a reading passes through several."""


def stream_on_runner(here: "Installation", *, runner: str, source: str | None, beam_options: list[str]) -> None:
    """Stream on a Beam runner until SIGTERM or Ctrl-C.

    Raises:
        UsageError: there is no one Kafka source, or it is not named.
    """
    from gridcast.pipelines.beam.live import run_live
    from gridcast.workflows.streaming.arrivals import Patience
    from gridcast.workflows.streaming.live_job import LiveJob
    from gridcast.workflows.streaming.turn import Turn

    name = _kafka_source(here, source)
    processed, settings = here.processed(), here.settings.pipeline.stream
    here.champion()
    job = LiveJob(
        source=name,
        open_source=functools.partial(_open, name, here.settings.pipeline.sources[name]),
        raw=here.workspace.raw.resolve(),
        processed=processed.at(processed.directory.resolve()),
        rules=here.rules(processed),
        registry=here.workspace.registry.resolve(),
        open_store=functools.partial(_open_store, here.settings.app.store, here.workspace.store.resolve()),
        log_days=settings.warm_start_days,
        patience=Patience(settings.deadline, settings.silent_after, settings.tick_rows),
        workers=settings.parts,
        turn=Turn(here.workspace.turn.resolve(), uuid.uuid4().hex),
    )
    with stop_asked() as stop:
        remark(f"streaming {name} on {runner} until stopped.")
        run_live(job, flags=(f"--runner={runner}", *_DEFAULTS.get(runner, ()), *beam_options), stop=stop)


def _open_store(settings: StoreSettings, path: Path) -> Store:
    """The PostgreSQL store that a worker's environment or file names, else the SQLite store of the data folder."""
    return Store.open(store_url(settings) or path)


def _open(name: str, settings: "SourceSettings", stop: threading.Event) -> "Source":
    return open_source(name, settings, stop=stop)


def _kafka_source(here: "Installation", name: str | None) -> str:
    found = [each for each, settings in here.settings.pipeline.sources.items() if settings.kind == "kafka"]
    if name is None and len(found) == 1:
        return found[0]
    if name not in found:
        raise UsageError(
            f"--source {name}: the Kafka sources are {', '.join(found) or 'none'}; expected one of them, as a runner "
            'reads again what it had not finished. "gridcast sources kafka" prints an example.'
        )
    return name
