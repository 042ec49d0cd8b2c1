"""Live sources are kept as they arrive, each in its own place, until they are asked to stop or one of them fails."""

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from gridcast.domain.errors import GridcastError, UsageError
from gridcast.domain.tables import READINGS
from gridcast.ingestion import raw
from gridcast.ingestion.connectors.drop_folder import DropFolder
from gridcast.ingestion.source import Batch
from gridcast.ingestion.tabular.columns import DEAD_ROWS
from gridcast.ingestion.tabular.formats import FileFormat
from gridcast.store.store import Store
from gridcast.workflows.readings.listen import Heard, Live, LogKeeper, RawKeeper, listen

START = datetime(2024, 6, 1, tzinfo=UTC)
NOW = datetime(2024, 6, 3, tzinfo=UTC)
SHORT = timedelta(milliseconds=300)


def readings(*loads: float, start: datetime = START) -> pl.DataFrame:
    hour = timedelta(hours=1)
    rows = [("m", start + step * hour, load, start + (step + 1) * hour) for step, load in enumerate(loads)]
    return pl.DataFrame(rows, schema=READINGS, orient="row")


def dead(*reasons: str) -> pl.DataFrame:
    return pl.DataFrame([("here", 1, reason, "raw") for reason in reasons], schema=DEAD_ROWS, orient="row")


@dataclass
class Script:
    """A live source that hands over what is written here, then fails or waits to be stopped."""

    stop: threading.Event
    script: list[Batch]
    failure: GridcastError | None = None
    begun_at: list[str | None] = field(default_factory=list)
    acknowledged: list[str] = field(default_factory=list)

    def batches(self, position: str | None) -> Iterator[Batch]:
        self.begun_at.append(position)
        yield from self.script
        if self.failure is not None:
            raise self.failure
        assert self.stop.wait(60)

    def done(self, position: str) -> None:
        self.acknowledged.append(position)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with contextlib.closing(Store.open(tmp_path / "gridcast.db")) as store:
        yield store


def run(*sources: Live, stop: threading.Event, until_idle: timedelta | None = SHORT) -> dict[str, Heard]:
    return listen(sources, stop=stop, clock=lambda: NOW, until_idle=until_idle)


def test_batches_land_in_order_and_are_acknowledged_once_they_are_kept(store: Store, tmp_path: Path) -> None:
    stop = threading.Event()
    absurd = readings(9.0, start=NOW + timedelta(hours=2))
    script = Script(
        stop,
        [
            Batch.of(position="p0"),
            Batch.of(position="p1", readings=readings(1.0, 2.0)),
            Batch.of(position="p2", readings=pl.concat([readings(1.0, 2.5), absurd]), dead=dead("not_json")),
        ],
    )

    heard = run(Live("scada", script, LogKeeper(store, tmp_path, "scada")), stop=stop)

    assert heard == {"scada": Heard(landed=3, repeated=1, dead={"not_json": 1, "time_out_of_range": 1})}
    assert script.acknowledged == ["p0", "p1", "p2"]
    assert store.source_position("scada").position == "p2"
    letter = pl.read_csv(tmp_path / "dead_letter" / "scada.live-00000003.csv")
    assert letter["reason"].to_list() == ["not_json", "time_out_of_range"]

    again = Script(stop=threading.Event(), script=[])
    run(Live("scada", again, LogKeeper(store, tmp_path, "scada"), says_hello=False), stop=again.stop)
    assert again.begun_at == ["p2"]


def test_a_batch_that_did_not_land_writes_the_same_dead_letter_again(store: Store, tmp_path: Path) -> None:
    keeper = LogKeeper(store, tmp_path, "scada")
    nameless = readings(1.0).with_columns(series_id=pl.lit(None, pl.String))
    with pytest.raises(GridcastError, match="Nothing of this step was written"):
        keeper.keep(Batch.of(position="p1", readings=nameless, dead=dead("not_json", "not_json")), now=NOW)
    keeper.keep(Batch.of(position="p1", readings=readings(1.0), dead=dead("not_json")), now=NOW)

    letters = sorted((tmp_path / "dead_letter").iterdir())
    assert [path.name for path in letters] == ["scada.live-00000001.csv"]
    assert pl.read_csv(letters[0]).height == 1


def test_files_that_are_dropped_meanwhile_go_to_the_raw_folder(store: Store, tmp_path: Path) -> None:
    stop, folder, directory = threading.Event(), tmp_path / "drop", tmp_path / "raw"
    folder.mkdir()
    dropped = DropFolder(folder=folder, file_format=FileFormat(), is_watched=True, is_polled=True, stop=stop)
    messages = Script(stop, [Batch.of(position="p", readings=readings(5.0))])

    def drop(_: object) -> None:
        if not (folder / "processed").exists():
            (folder / "a.part").write_text("series_id,valid_time,load_mw\nm,2024-06-01T00:00Z,1\nm,soon,2\n")
            (folder / "a.part").rename(folder / "a.csv")
        else:
            stop.set()

    heard = listen(
        [
            Live("files", dropped, RawKeeper(directory, "files"), says_hello=False),
            Live("scada", messages, LogKeeper(store, directory, "scada")),
        ],
        stop=stop,
        clock=lambda: NOW,
        on_heard=drop,
    )

    assert heard["files"].dead == {"unparsable_time": heard["files"].landed}
    assert heard["scada"] == Heard(landed=1)
    assert set(raw.read_readings(directory)["load_mw"]) == {1.0}
    assert store.log_head() == 1


def test_a_source_that_fails_stops_all_and_what_was_kept_stays(store: Store, tmp_path: Path) -> None:
    stop = threading.Event()
    good = Script(stop, [Batch.of(position="p", readings=readings(1.0))])
    bad = Script(stop, [Batch.of(position="q", readings=readings(7.0))], failure=GridcastError("the broker is gone"))

    with pytest.raises(GridcastError, match="the broker is gone"):
        run(
            Live("good", good, LogKeeper(store, tmp_path, "good")),
            Live("bad", bad, LogKeeper(store, tmp_path, "bad")),
            stop=stop,
            until_idle=None,
        )
    assert_frame_equal(store.landed_from("bad", after_offset=0, limit=9).drop("log_offset"), readings(7.0))


@dataclass
class SlowToConnect(Script):
    """Its broker takes longer to answer than silence is allowed to last."""

    def batches(self, position: str | None) -> Iterator[Batch]:
        assert not self.stop.wait(3 * SHORT.total_seconds())
        yield from super().batches(position)


def test_silence_counts_only_after_every_source_was_heard_of(store: Store, tmp_path: Path) -> None:
    stop = threading.Event()
    slow = SlowToConnect(stop, [Batch.of(position="p", readings=readings(1.0))])

    heard = run(Live("scada", slow, LogKeeper(store, tmp_path, "scada")), stop=stop)

    assert heard["scada"].landed == 1


def test_a_source_has_one_listener_at_a_time(store: Store, tmp_path: Path) -> None:
    stop = threading.Event()
    refused: list[str] = []

    def second(_: object) -> None:
        with pytest.raises(GridcastError) as told:
            run(
                Live("scada", Script(threading.Event(), []), LogKeeper(store, tmp_path, "scada")),
                stop=threading.Event(),
            )
        refused.append(str(told.value))
        stop.set()

    script = Script(stop, [Batch.of(position="p")])
    listen([Live("scada", script, LogKeeper(store, tmp_path, "scada"))], stop=stop, clock=lambda: NOW, on_heard=second)

    assert "another process reads it" in refused[0]


def test_the_sample_is_not_mixed_with_live_readings(store: Store, tmp_path: Path) -> None:
    raw.write_source(tmp_path, source="gefcom2012", readings=readings(1.0))
    stop = threading.Event()
    with pytest.raises(UsageError, match="the sample alone"):
        run(Live("scada", Script(stop, []), LogKeeper(store, tmp_path, "scada")), stop=stop)
