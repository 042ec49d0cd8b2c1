"""One stream at a time works on a data folder; others are refused or stand by."""

import contextlib
from pathlib import Path

import pytest

from gridcast.domain.errors import GridcastError
from gridcast.ingestion.locks import streaming_alone


def test_a_second_stream_is_refused_and_another_folder_is_free(tmp_path: Path) -> None:
    with (
        streaming_alone(tmp_path / "a"),
        streaming_alone(tmp_path / "b"),
        pytest.raises(GridcastError, match=r"another process streams here.*--standby"),
        streaming_alone(tmp_path / "a"),
    ):
        pass
    with streaming_alone(tmp_path / "a"):
        pass


def test_one_that_stands_by_takes_over_when_the_first_ends(tmp_path: Path) -> None:
    first = contextlib.ExitStack()
    first.enter_context(streaming_alone(tmp_path))
    waited = []

    def wait() -> bool:
        waited.append(len(waited))
        if len(waited) == 3:
            first.close()
        return True

    with streaming_alone(tmp_path, wait=wait):
        assert waited == [0, 1, 2]


def test_one_that_stands_by_gives_up_when_it_is_told_to(tmp_path: Path) -> None:
    with (
        streaming_alone(tmp_path),
        pytest.raises(GridcastError, match="another process streams here"),
        streaming_alone(tmp_path, wait=lambda: False),
    ):
        pass
