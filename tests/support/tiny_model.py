"""A tiny network of two members, trained in a few seconds on a made-up history."""

import functools
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
from support.workers import in_turn

from gridcast.features.panel import Panel, panel_from_frames
from gridcast.features.windows import Inputs, window_inputs
from gridcast.models.tensorflow.checkpoint import Checkpoint
from gridcast.models.tensorflow.export import save
from gridcast.models.tensorflow.spec import NetworkSize, NetworkSpec, TrainSpec
from gridcast.models.tensorflow.train import Progress, TrainedModel, fit

HOUR = timedelta(hours=1)
SERIES = ("zone_a", "zone_b")
LEADS = 6
SPEC = NetworkSpec(LEADS, HOUR, NetworkSize(width=8, blocks=1, encoder_width=8, summary=4, horizon=2, embedding=2))
TRAINING = TrainSpec(members=2, epochs=2, windows_per_epoch=128, batch_size=32, held_out_blocks=2, seed=5)


@functools.cache
def make_panel() -> Panel:
    """Seventy days of two series with a daily and weekly shape; the second stands at zero for days on end."""
    start = datetime(2024, 1, 1, tzinfo=UTC)
    hours = np.arange(70 * 24)
    times = pl.Series([start + HOUR * int(step) for step in hours], dtype=pl.Datetime("us", "UTC"))
    rng = np.random.default_rng(2)
    load = 100 + 20 * np.sin(hours * 2 * np.pi / 24) - 10 * (hours // 24 % 7 > 4) + rng.normal(0, 3, len(hours))
    loads = {"zone_a": load, "zone_b": np.where(hours // 24 % 30 < 9, 0.0, load / 50)}
    return panel_from_frames(
        pl.concat(
            pl.DataFrame({"series_id": [name] * len(hours), "valid_time": times, "load_mw": values})
            for name, values in loads.items()
        ),
        weather=pl.DataFrame({"valid_time": times, "temperature_c": 10 + 8 * np.sin(hours / 50)}),
        holidays=None,
        time_zones=dict.fromkeys(SERIES, "Europe/London"),
        interval=HOUR,
        series_ids=SERIES,
    )


def train(*, told: list[Progress] | None = None, checkpoint: Checkpoint | None = None) -> TrainedModel:
    panel = make_panel()
    return fit(
        panel,
        train_until=len(panel.time),
        network_spec=SPEC,
        train_spec=TRAINING,
        on_progress=None if told is None else told.append,
        checkpoint=checkpoint,
    )


@functools.cache
def trained() -> TrainedModel:
    return train()


@functools.cache
def trained_in(run: Path) -> TrainedModel:
    """The same, taught once in a test run: whoever comes later goes on from a checkpoint with nothing left to learn."""
    with in_turn(run / "tiny_model.lock"):
        return train(checkpoint=Checkpoint(run / "tiny_model.checkpoint", identity="tiny"))


def exported_in(run: Path) -> Path:
    """Its artefact, exported once in a test run. Not to be changed: copy it."""
    directory = run / "tiny_model" / "model"
    with in_turn(run / "tiny_export.lock"):
        if not directory.exists():
            save(trained_in(run), directory, metadata={"data_fingerprint": "abc"})
    return directory


def some_inputs(count: int = 9) -> Inputs:
    origin = np.linspace(15 * 24, 69 * 24, count).astype(np.int32)
    return window_inputs(make_panel(), series=np.arange(count) % 2, origin=origin, leads=LEADS)
