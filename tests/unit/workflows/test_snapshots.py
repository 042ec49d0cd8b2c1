"""Histories that models were trained on are kept once, whole, and only if a model came of them."""

from pathlib import Path

import pytest
from polars.testing import assert_frame_equal
from support.processed_history import write_history

from gridcast.domain.errors import GridcastError
from gridcast.workflows.readings.processed import Processed
from gridcast.workflows.training.snapshots import keep_snapshot, keeping_snapshot, open_snapshot


@pytest.fixture
def processed(tmp_path: Path) -> Processed:
    return write_history(tmp_path / "processed", days=20)


def test_a_snapshot_is_the_history_and_stays_it_when_a_new_run_replaces_the_files(
    tmp_path: Path, processed: Processed
) -> None:
    before, folder = processed.readings(), tmp_path / "snapshots"
    keep_snapshot(processed, directory=folder)
    (month,) = (processed.directory / "readings").iterdir()
    (month / "all.parquet").unlink()
    (month / "all.parquet").write_bytes(b"other")
    assert_frame_equal(open_snapshot(processed.fingerprint, directory=folder).readings(), before)


def test_the_same_history_is_kept_once(tmp_path: Path, processed: Processed) -> None:
    folder = tmp_path / "snapshots"
    assert keep_snapshot(processed, directory=folder) == keep_snapshot(processed, directory=folder)
    assert [each.name for each in folder.iterdir()] == [processed.fingerprint]


def test_a_file_more_or_less_is_found(tmp_path: Path, processed: Processed) -> None:
    folder = keep_snapshot(processed, directory=tmp_path / "snapshots")
    (folder / "more.parquet").write_bytes(b"")
    with pytest.raises(GridcastError, match=r"more\.parquet is not what was kept"):
        open_snapshot(processed.fingerprint, directory=tmp_path / "snapshots")


def test_nothing_is_kept_of_a_training_that_failed_but_what_was_there(tmp_path: Path, processed: Processed) -> None:
    folder = tmp_path / "snapshots"
    with pytest.raises(KeyboardInterrupt), keeping_snapshot(processed, directory=folder):
        raise KeyboardInterrupt
    assert not folder.exists()
    keep_snapshot(processed, directory=folder)
    with pytest.raises(KeyboardInterrupt), keeping_snapshot(processed, directory=folder):
        raise KeyboardInterrupt
    assert open_snapshot(processed.fingerprint, directory=folder) is not None
