"""Models are swapped under a stream that goes on: by the hundred, some of them damaged."""

import contextlib
import functools
import itertools
import shutil
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from support.plant import HORIZON, Plant
from support.processed_history import HOUR, START, ZONES

from gridcast.domain.tables import READINGS
from gridcast.pipelines.beam.tick import Ticks
from gridcast.quality.limits import Limits
from gridcast.registry.catalogue import CHAMPION, SHADOW, named
from gridcast.registry.mlflow_registry import Registry
from gridcast.store.store import Store
from gridcast.workflows.forecasts.known import Known
from gridcast.workflows.forecasts.score_forecasts import score_forecasts
from gridcast.workflows.readings.rules import CleaningRules
from gridcast.workflows.streaming.on_duty import (
    LOOK_EVERY,
    REFUSED,
    TOOK_OVER,
    OnDuty,
    OnTrial,
    proof_by_forecast,
    speakers,
)
from gridcast.workflows.streaming.replay import replay
from gridcast.workflows.streaming.stream_readings import Stream
from gridcast.workflows.streaming.tick_job import AtHand

SWAPS = 100
VERSIONS = 10
DAYS = 60


@pytest.fixture
def registry(plant: Plant, tmp_path: Path) -> Registry:
    """Ten versions of one model; a byte of the last one's graph has changed since it was registered."""
    registry = Registry.open(tmp_path / "registry")
    artefact = shutil.copytree(plant.model.directory, tmp_path / "artefact")
    made = [registry.register(artefact, params={}, metrics={}, tags={}, pip_requirements=()) for _ in range(VERSIONS)]
    graph = made[-1].directory / "model.tflite"
    content = bytearray(graph.read_bytes())
    content[len(content) // 2] ^= 1
    graph.write_bytes(content)
    registry.set_alias(CHAMPION, "1")
    registry.set_alias(SHADOW, "1")
    return registry


def test_a_hundred_swaps_one_in_ten_of_a_damaged_model_miss_no_tick_and_let_none_forecast_that_is_damaged(
    plant: Plant, registry: Registry, tmp_path: Path
) -> None:
    processed, hierarchy = plant.processed, plant.processed.hierarchy
    since = dict.fromkeys(hierarchy.leaves, START)
    rules = CleaningRules(interval=HOUR, limits=Limits(), hierarchy=hierarchy, series_since=since)
    start = processed.observed_until - SWAPS * HOUR
    received = processed.readings(series_ids=ZONES).select(READINGS.names())
    received = received.filter(pl.col("valid_time") >= start - timedelta(days=DAYS))
    seconds, trial_seconds = (itertools.count(step=int(LOOK_EVERY.total_seconds())) for _ in range(2))
    with contextlib.closing(Store.open(tmp_path / "gridcast.db")) as store:

        def known() -> tuple[Known, datetime]:
            return stream.known()

        prove = proof_by_forecast(known, interval=HOUR)
        home = tmp_path / "registry"
        champion, shadow = (functools.partial(named, home, alias) for alias in (CHAMPION, SHADOW))
        duty = OnDuty(registry.get("1"), champion, prove, store, clock=lambda: next(seconds))
        trial = OnTrial(shadow, prove, store, clock=lambda: float(next(trial_seconds)))
        at_hand = AtHand(store, processed, rules)
        stream = Stream(at_hand, functools.partial(speakers, duty, trial), Ticks(at_hand), DAYS)
        stream.warm_start(received, start=start, days=DAYS)
        asked = itertools.cycle([*range(2, VERSIONS + 1), 1])

        def swap() -> bool:
            registry.set_alias(CHAMPION, str(next(asked)))
            return False

        issued = list(replay(stream, received, start=start, step=HOUR, pause=swap))
        forecasts = store.forecasts(start=start, end=processed.observed_until + HOUR)
        events = store.events(newest=2 * SWAPS)
        scored_live = store.scores()
        score_forecasts(store, processed, last=timedelta(days=30))
        scored_later = store.scores()

    assert issued == [start + (number + 1) * HOUR for number in range(SWAPS)]
    model, shadow = (forecasts.filter(layer=each) for each in ("model", "shadow"))
    said = model.group_by("issue_time").agg(pl.col("model_version").unique()).sort("issue_time")
    assert said["issue_time"].to_list() == issued
    wanted = [str(number % VERSIONS + 1) for number in range(SWAPS)]
    good = [version if version != str(VERSIONS) else str(VERSIONS - 1) for version in wanted]
    assert said["model_version"].to_list() == [[version] for version in good]
    assert shadow["model_version"].unique().to_list() == ["1"]
    beside = model.filter(pl.col("model_version") != "1")
    assert_frame_equal(shadow.drop("layer", "model_version"), beside.drop("layer", "model_version"))
    kinds = dict(events["kind"].value_counts().iter_rows())
    assert kinds == {TOOK_OVER: SWAPS - SWAPS // VERSIONS - 1, REFUSED: SWAPS // VERSIONS}
    refusals = events.filter(pl.col("kind") == REFUSED)["message"]
    assert refusals.str.contains(f"{VERSIONS - 1} stays in service: .*model.tflite").all()

    whole = scored_later.filter(pl.col("issue_time") + HORIZON <= issued[-1])
    assert scored_live.filter(pl.col("issue_time") + HORIZON <= issued[-1]).height == whole.height > 0
    assert_frame_equal(scored_live.join(whole, on=whole.columns[:4], how="semi"), whole, abs_tol=1e-9)
