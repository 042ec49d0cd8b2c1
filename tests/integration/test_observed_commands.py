"""Commands log one event a line of JSON, with run, command and tick, and send their spans to a collector."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from support.collector import attributes, collecting
from support.installation import Place

JSON = {"GRIDCAST_APP__LOGGING__FORMAT": "json", "GRIDCAST_APP__LOGGING__LEVEL": "info"}
Copy = Callable[[Place], Place]
Line = dict[str, Any]


def logged(told: str) -> list[Line]:
    """Every line of standard error; one that is no JSON fails."""
    return [json.loads(each) for each in told.splitlines()]


def of(lines: list[Line], event: str) -> list[Line]:
    return [each for each in lines if each["event"] == event]


def test_a_stream_tells_of_every_tick_in_logs_and_traces(promoted: Place, copy_of: Copy) -> None:
    place = copy_of(promoted)
    with collecting() as collector:
        done = place.run("stream", "--last", "PT3H", env={**JSON, "GRIDCAST_APP__TRACING__ENDPOINT": collector.url})
    lines = logged(done.stderr)
    assert {each["command"] for each in lines} == {"stream"}
    assert len({each["run_id"] for each in lines}) == 1
    assert lines[0]["event"] == "command started"
    assert lines[-1]["event"] == "command ended"
    assert lines[-1]["exit_code"] == 0
    assert lines[-1]["seconds"] > 0

    ticks = of(lines, "tick")
    assert [each["tick"] for each in ticks] == list(range(1, len(ticks) + 1))
    assert len(ticks) >= 3
    assert ticks[-1]["series"] == 4
    assert ticks[-1]["rows"] > 0
    assert ticks[-1]["model_version"] == "1"
    assert re.fullmatch(r"2008-06-30T\d\d:00:00Z", ticks[-1]["issue_time"])
    assert all(min(each[f"{stage}_s"] for stage in ("clean", "forecast", "commit")) > 0 for each in ticks)

    command = collector.one("gridcast stream")
    assert attributes(command)["process.exit.code"] == 0
    spans = {each.trace_id.hex(): each for each in collector.named("tick")}
    assert [each["trace_id"] for each in ticks] == list(spans)
    for each in ticks:
        assert attributes(spans[each["trace_id"]])["gridcast.issue_time"] == each["issue_time"]
    stages = [each for each in collector.spans if each.name in {"clean", "forecast", "commit"}]
    assert len(stages) == 3 * len(ticks)
    by_id = {each.span_id for each in collector.named("tick")}
    assert {each.parent_span_id for each in stages} == by_id
    assert all([link.span_id for link in each.links] == [command.span_id] for each in spans.values())


def test_training_tells_of_every_epoch_and_preparing_of_its_blocks(promoted: Place, copy_of: Copy) -> None:
    place = copy_of(promoted)
    small = {"GRIDCAST_MODEL__TRAINING__MEMBERS": "1", "GRIDCAST_MODEL__TRAINING__EPOCHS": "2"}
    epochs = of(logged(place.run("train", env={**JSON, **small}).stderr), "epoch")
    assert [(each["epoch"], each["epochs"]) for each in epochs] == [(1, 2), (2, 2)]
    assert all(0 < each["held_out_loss"] < 10 for each in epochs)

    other = {"GRIDCAST_PIPELINE__QUALITY__FLATLINE": "PT9H"}
    lines = logged(place.run("prepare", env={**JSON, **other}).stderr)
    assert of(lines, "cleaned")[0]["blocks"] >= 1


def test_a_failure_is_a_line_of_the_log_and_a_failed_span(promoted: Place, copy_of: Copy) -> None:
    place = copy_of(promoted)
    with collecting() as collector:
        env = {**JSON, "GRIDCAST_APP__TRACING__ENDPOINT": collector.url}
        done = place.run("forecast", "--as-of", "1999-01-01T00:00Z", env=env, code=1)
    lines = logged(done.stderr)
    assert [each["level"] for each in lines] == ["info", "error", "info"]
    assert lines[-1]["exit_code"] == 1
    span = collector.one("gridcast forecast")
    assert span.status.code == 2
    assert attributes(span)["process.exit.code"] == 1
    assert done.stdout == ""


def test_settings_that_cannot_be_used_are_told_in_the_form_that_the_environment_asks_for(promoted: Place) -> None:
    done = promoted.run("status", env={**JSON, "GRIDCAST_APP__LOGGING__LEVEL": "loud"}, code=2)
    (line,) = logged(done.stderr)
    assert line["level"] == "error"
    assert "GRIDCAST_APP__LOGGING__LEVEL" in line["event"]


def test_a_trace_goes_on_with_the_one_that_the_environment_names(promoted: Place) -> None:
    outer = "0af7651916cd43dd8448eb211c80319c"
    with collecting() as collector:
        env = {"GRIDCAST_APP__TRACING__ENDPOINT": collector.url, "TRACEPARENT": f"00-{outer}-b7ad6b7169203331-01"}
        promoted.run("status", env=env)
    assert collector.one("gridcast status").trace_id.hex() == outer


@pytest.mark.parametrize("level", ["warning", "error"])
def test_by_default_a_command_that_goes_well_says_nothing_of_logs(promoted: Place, level: str) -> None:
    done = promoted.run("status", env={"GRIDCAST_APP__LOGGING__LEVEL": level})
    assert done.stderr == ""
