"""Batches in the raw folder: kept whole or not at all, in order of arrival, and once."""

import contextlib
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from gridcast.domain.errors import GridcastError, UsageError
from gridcast.domain.tables import HOLIDAYS, READINGS, WEATHER
from gridcast.ingestion import raw
from gridcast.ingestion.source import Batch
from gridcast.ingestion.tabular.columns import DEAD_ROWS

START = datetime(2024, 1, 31, 23, tzinfo=UTC)
HOUR = timedelta(hours=1)


def batch(number: int, *, hours: int = 2, series_id: str = "a", start: datetime = START) -> Batch:
    """Readings around the turn of a month, their load being the number of the batch, with all else there is."""
    times = [start + HOUR * hour for hour in range(hours)]
    return Batch.of(
        position=f'{{"next": {number + 1}}}',
        readings=pl.DataFrame(
            [(series_id, time, float(number), time + HOUR) for time in times], schema=READINGS, orient="row"
        ),
        weather=pl.DataFrame([("s", time, 3.5, time + HOUR) for time in times], schema=WEATHER, orient="row"),
        holidays=pl.DataFrame([(date(2024, 1, number + 1), "a day")], schema=HOLIDAYS, orient="row"),
        dead=pl.DataFrame([("x.csv", number, "unparsable_time", "")], schema=DEAD_ROWS, orient="row"),
    )


def loads(directory: Path, *, at: datetime = START) -> list[float]:
    return raw.read_readings(directory).filter(valid_time=at)["load_mw"].to_list()


def tree(directory: Path) -> dict[str, bytes]:
    return {
        path.relative_to(directory).as_posix(): path.read_bytes()
        for path in directory.rglob("*")
        if path.is_file() and path.parent.name != "locks"
    }


def test_a_batch_stands_beside_those_before_it(tmp_path: Path) -> None:
    letter = raw.append_batch(tmp_path, source="iso", batch=batch(1))
    raw.append_batch(tmp_path, source="iso", batch=batch(2))
    assert letter == tmp_path / "dead_letter" / "iso-00000001.csv"
    assert sorted(tree(tmp_path)) == [
        "dead_letter/iso-00000001.csv",
        "dead_letter/iso-00000002.csv",
        "holidays/iso-00000001.parquet",
        "holidays/iso-00000002.parquet",
        "positions/iso.json",
        *(
            f"{kind}/month=2024-0{month}/iso-0000000{number}.parquet"
            for kind in ("readings", "weather")
            for month in (1, 2)
            for number in (1, 2)
        ),
    ]
    assert raw.position_of(tmp_path, "iso") == '{"next": 3}'
    assert raw.read_weather(tmp_path).height == 4
    assert raw.read_holidays(tmp_path)["date"].to_list() == [date(2024, 1, 2), date(2024, 1, 3)]
    assert raw.reading_counts(tmp_path) == {"a": 4}


def test_a_source_that_was_never_read_has_no_position(tmp_path: Path) -> None:
    raw.append_batch(tmp_path, source="iso", batch=batch(1))
    assert raw.position_of(tmp_path, "other") is None


def test_an_empty_batch_moves_the_position_on(tmp_path: Path) -> None:
    assert raw.append_batch(tmp_path, source="iso", batch=Batch.of(position="5")) is None
    assert list(tree(tmp_path)) == ["positions/iso.json"]
    assert raw.position_of(tmp_path, "iso") == "5"


def test_readings_of_one_time_stand_in_the_order_in_which_they_arrived(tmp_path: Path) -> None:
    for number, name in enumerate(["zeta", "alpha", "zeta", "beta"], start=1):
        raw.append_batch(tmp_path, source=name, batch=batch(number))
    raw.write_source(tmp_path, source="omega", readings=batch(9).readings)
    assert loads(tmp_path) == [9.0, 1.0, 2.0, 3.0, 4.0]


def test_order_holds_beyond_the_width_of_a_number(tmp_path: Path) -> None:
    raw.append_batch(tmp_path, source="iso", batch=batch(1))
    (tmp_path / "positions" / "iso.json").write_text('{"batch": 99999998, "position": "x"}')
    for number in (2, 3):
        raw.append_batch(tmp_path, source="iso", batch=batch(number))
    assert loads(tmp_path) == [1.0, 2.0, 3.0]


def test_the_hash_knows_the_batches(tmp_path: Path) -> None:
    hashes = set()
    for number in range(3):
        raw.append_batch(tmp_path, source="iso", batch=batch(number))
        hashes.add(raw.data_hash(tmp_path))
    assert len(hashes) == 3


@contextlib.contextmanager
def killed_at(step: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The process ends when it is about to move the file with this number into place."""
    moves = iter(range(100))
    move: Callable[[Path, Path], Path] = Path.replace

    def replace(self: Path, target: Path) -> Path:
        if next(moves) == step:
            raise KeyboardInterrupt
        return move(self, target)

    with monkeypatch.context() as patched, contextlib.suppress(KeyboardInterrupt):
        patched.setattr(Path, "replace", replace)
        yield
        pytest.fail("nothing was cut off")


@pytest.mark.parametrize("step", range(7))
def test_a_batch_that_was_cut_off_does_not_count_and_is_written_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    raw.append_batch(tmp_path, source="iso", batch=batch(1))
    before = raw.data_hash(tmp_path)
    with killed_at(step, monkeypatch):
        raw.append_batch(tmp_path, source="iso", batch=batch(2))
    assert (raw.data_hash(tmp_path), raw.position_of(tmp_path, "iso")) == (before, '{"next": 2}')
    assert (loads(tmp_path), raw.read_weather(tmp_path).height, raw.read_holidays(tmp_path).height) == ([1.0], 2, 1)
    raw.append_batch(tmp_path, source="iso", batch=batch(2))
    assert loads(tmp_path) == [1.0, 2.0]
    assert raw.read_readings(tmp_path).height == raw.read_weather(tmp_path).height == 4


def test_what_a_cut_off_batch_left_in_another_month_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with killed_at(6, monkeypatch):
        raw.append_batch(tmp_path, source="iso", batch=batch(1))
    raw.append_batch(tmp_path, source="other", batch=batch(7))
    raw.append_batch(tmp_path, source="iso", batch=batch(1, hours=1))
    months = [path.parent.name for path in sorted(tmp_path.glob("readings/*/iso-*.parquet"))]
    assert months == ["month=2024-01"]
    assert loads(tmp_path) == [7.0, 1.0]


def test_writing_a_source_as_a_whole_replaces_its_batches(tmp_path: Path) -> None:
    for name in ("iso", "other"):
        raw.append_batch(tmp_path, source=name, batch=batch(1))
    raw.write_source(tmp_path, source="iso", readings=batch(5, hours=1).readings)
    assert loads(tmp_path) == [5.0, 1.0]
    assert raw.position_of(tmp_path, "iso") is None
    assert not [name for name in tree(tmp_path) if "iso-" in name]


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"batch": "x", "position": "1"}'])
def test_a_damaged_position_is_told_with_what_to_do(tmp_path: Path, text: str) -> None:
    raw.append_batch(tmp_path, source="iso", batch=batch(1))
    (tmp_path / "positions" / "iso.json").write_text(text)
    with pytest.raises(GridcastError, match=r"positions/iso\.json: not the position of a source .* Restore the file"):
        raw.read_readings(tmp_path)


@pytest.mark.parametrize("name", ["../x", "a/b", "", "iso-00000001"])
def test_a_name_that_cannot_name_files_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="as it names files"):
        raw.append_batch(tmp_path, source=name, batch=batch(1))
    assert tree(tmp_path) == {}
