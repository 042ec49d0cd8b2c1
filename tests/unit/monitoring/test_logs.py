"""Logs are one event a line with their context, in the form and from the level that is asked for."""

import json
import logging
import threading
import warnings
from collections.abc import Iterator
from contextvars import copy_context
from typing import Any

import pytest

from gridcast.monitoring.log_context import bound, context
from gridcast.monitoring.logs import Form, Level, begin_logs, is_json, tell

LOG = logging.getLogger("gridcast.test")


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    yield
    begin_logs(Form.TEXT, level=Level.WARNING)


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(each) for each in capsys.readouterr().err.splitlines()]


def test_an_event_is_one_line_of_json_with_its_fields_and_its_context(capsys: pytest.CaptureFixture[str]) -> None:
    begin_logs(Form.JSON, level=Level.INFO)
    with bound(run_id="ab12", command="stream"), bound(tick=3):
        tell(LOG, "tick", fields={"rows": 20, "why": "two\nlines"})
    (line,) = lines(capsys)
    assert list(line)[:4] == ["timestamp", "level", "event", "logger"]
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "level": "info", "event": "tick", "logger": "gridcast.test", "run_id": "ab12", "command": "stream", "tick": 3,
        "rows": 20, "why": "two\nlines",
    }  # fmt: skip


def test_text_is_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    begin_logs(Form.TEXT, level=Level.INFO)
    with bound(command="listen"):
        tell(LOG, "landed", fields={"rows": 20, "token": "abcdefgh"})
    assert capsys.readouterr().err == "INFO gridcast.test: landed command=listen rows=20 token=[redacted]\n"


@pytest.mark.parametrize("name", ["uvicorn.error", "alembic.runtime", "mlflow.store", "somebody.else"])
def test_other_libraries_speak_through_the_same_lines(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    begin_logs(Form.JSON, level=Level.WARNING)
    logging.getLogger(name).warning("cannot reach %s", "postgresql://me:s3cr3t@db/grid")
    (line,) = lines(capsys)
    assert (line["level"], line["logger"]) == ("warning", name)
    assert line["event"] == "cannot reach postgresql://me:[redacted]@db/grid"


def test_only_our_own_loggers_follow_a_lower_level(capsys: pytest.CaptureFixture[str]) -> None:
    begin_logs(Form.JSON, level=Level.DEBUG)
    logging.getLogger("somebody.else").info("chatter")
    tell(LOG, "detail", level=logging.DEBUG)
    assert [each["event"] for each in lines(capsys)] == ["detail"]


def test_an_exception_stays_on_its_line_without_its_secrets(capsys: pytest.CaptureFixture[str]) -> None:
    begin_logs(Form.JSON, level=Level.WARNING)
    try:
        raise ValueError("password=hunter22 is wrong")  # noqa: TRY301 - it is caught here
    except ValueError:
        LOG.exception("it failed")
    (line,) = lines(capsys)
    assert "ValueError: password=[redacted] is wrong" in line["exception"]


def test_a_warning_of_python_is_a_line_too(capsys: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        begin_logs(Form.JSON, level=Level.WARNING)
        warnings.warn("old ways", DeprecationWarning, stacklevel=1)
        begin_logs(Form.TEXT, level=Level.WARNING)
    (line,) = lines(capsys)
    assert line["logger"] == "py.warnings"
    assert "old ways" in line["event"]


def test_by_default_nothing_is_told_but_trouble(capsys: pytest.CaptureFixture[str]) -> None:
    begin_logs(Form.TEXT, level=Level.WARNING)
    tell(LOG, "tick", fields={"rows": 20})
    assert capsys.readouterr().err == ""
    assert not is_json()


def test_what_is_bound_ends_with_its_block_and_follows_a_context_into_a_thread() -> None:
    found: list[object] = []
    with bound(tick=1):
        with bound(series="a"):
            inside = copy_context()
        thread = threading.Thread(target=lambda: inside.run(lambda: found.append(dict(context()))))
        thread.start()
        thread.join()
        assert dict(context()) == {"tick": 1}
    assert found == [{"tick": 1, "series": "a"}]
    assert not context()
