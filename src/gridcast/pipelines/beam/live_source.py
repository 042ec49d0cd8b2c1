"""A live source as Beam reads it: batch by batch, from wherever it was left."""

import queue
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, Final

import apache_beam as beam
from apache_beam.io.iobase import RestrictionProgress, RestrictionTracker
from apache_beam.transforms.core import RestrictionProvider
from apache_beam.utils.timestamp import Duration

from gridcast.ingestion.source import Batch, Source
from gridcast.pipelines.beam.blocks import Block
from gridcast.workflows.readings.ingest import in_range
from gridcast.workflows.streaming.turn import Turn

OpenSource = Callable[[threading.Event], Source]
"""Opens a source that goes on until the event is set."""

DEAD: Final = "dead"
"""Messages that cannot be read (`DEAD_ROWS`), under the position behind them."""

_BEGINNING: Final = ""
_BUNDLE_SECONDS: Final = 1.0
_WAIT_SECONDS: Final = 0.2
_BATCHES_AHEAD: Final = 4


class _Tracker(RestrictionTracker):  # type: ignore[misc]
    """From a position of the source on, without an end; a position is a text that only the source understands."""

    def __init__(self, position: str) -> None:
        self._position, self._is_split = position, False

    def current_restriction(self) -> str:
        return self._position

    def try_claim(self, position: str) -> bool:
        if not self._is_split:
            self._position = position
        return not self._is_split

    def try_split(self, _: float) -> tuple[str, str] | None:
        if self._is_split:
            return None
        self._is_split = True
        return self._position, self._position

    def check_done(self) -> None:
        """What was claimed is done; the rest was split off."""

    def current_progress(self) -> RestrictionProgress:
        return RestrictionProgress(fraction=0.0)

    def is_bounded(self) -> bool:
        return False


class _FromTheBeginning(RestrictionProvider):  # type: ignore[misc]
    def initial_restriction(self, _: str) -> str:
        return _BEGINNING

    def create_tracker(self, position: str) -> _Tracker:
        return _Tracker(position)

    def restriction_size(self, _: str, __: str) -> int:
        return 1

    def restriction_coder(self) -> beam.coders.Coder:
        return beam.coders.StrUtf8Coder()


class ReadLive(beam.DoFn):  # type: ignore[misc]
    """Hands over the readings of a live source, for any element, until the turn has passed.

    How far it was read is the restriction, so that it is the runner that keeps it: after a restart from a checkpoint
    the source is read on from there. What cannot be read goes to `DEAD`.
    """

    def __init__(self, name: str, open_source: OpenSource, turn: Turn) -> None:
        self._name, self._open, self._turn = name, open_source, turn
        self._reader: _Reader | None = None

    @beam.DoFn.unbounded_per_element()  # type: ignore[untyped-decorator]
    def process(
        self,
        _: str,
        tracker: Any = beam.DoFn.RestrictionParam(_FromTheBeginning()),  # noqa: B008 - how Beam is told
    ) -> Iterator[Block]:
        """Batches that come within a second."""
        if self._turn.has_passed():
            self.teardown()
            return
        reader = self._reader_at(tracker.current_restriction())
        until = time.monotonic() + _BUNDLE_SECONDS
        while time.monotonic() < until:
            handed_over = reader.next_batch()
            if handed_over is None:
                continue
            if not tracker.try_claim(handed_over.position):
                self.teardown()
                return
            reader.position = handed_over.position
            batch = in_range(handed_over, source=self._name, now=datetime.now(UTC))
            if batch.readings.height:
                yield batch.position, batch.readings
            if batch.dead.height:
                yield beam.pvalue.TaggedOutput(DEAD, (batch.position, batch.dead))
        tracker.defer_remainder(Duration())

    def teardown(self) -> None:
        """Close the source."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def _reader_at(self, position: str) -> "_Reader":
        if self._reader is None or self._reader.position != position:
            self.teardown()
            self._reader = _Reader(self._open, position)
        return self._reader


class _Reader:
    """Reads a source ahead of who asks for its batches, a few of them."""

    def __init__(self, open_source: OpenSource, position: str) -> None:
        self.position = position
        self._stop = threading.Event()
        self._batches: queue.Queue[Batch | BaseException] = queue.Queue(_BATCHES_AHEAD)
        self._source = open_source(self._stop)
        self._thread = threading.Thread(target=self._read, name="live source", daemon=True)
        self._thread.start()

    def next_batch(self) -> Batch | None:
        """The next one, or None if none came for a moment.

        Raises:
            GridcastError: the source failed.
        """
        try:
            found = self._batches.get(timeout=_WAIT_SECONDS)
        except queue.Empty:
            return None
        if isinstance(found, BaseException):
            raise found
        return found

    def close(self) -> None:
        """Stop reading."""
        self._stop.set()

    def _read(self) -> None:
        try:
            for batch in self._source.batches(self.position or None):
                if not self._put(batch):
                    return
        except BaseException as error:  # noqa: BLE001 - handed to who asks for the next batch
            self._put(error)

    def _put(self, item: Batch | BaseException) -> bool:
        while not self._stop.is_set():
            try:
                self._batches.put(item, timeout=_WAIT_SECONDS)
            except queue.Full:
                continue
            return True
        return False
