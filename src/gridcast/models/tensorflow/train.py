"""Training: seeded, stopped early on held-out blocks, calibrated on them."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from gridcast.features.panel import Panel
from gridcast.features.temperature import fill_missing_temperature
from gridcast.features.windows import Inputs, Windows, intervals_per_day, window_targets
from gridcast.models.tensorflow.calibration import gap_factors
from gridcast.models.tensorflow.held_out import split_windows, training_scale, windows_without_weather
from gridcast.models.tensorflow.learning import EpochLosses, Learner, Progress, predict
from gridcast.models.tensorflow.network import build_network
from gridcast.models.tensorflow.spec import NetworkSpec, TrainSpec

__all__ = ["EpochLosses", "Progress", "TrainedModel", "fit"]

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class TrainedModel:
    """A calibrated network in memory and how it came about.

    Attributes:
        network: raw inputs → quantiles, MW.
        series_ids: series it knows; position + 1 is the `series` input.
        network_spec: its shape.
        train_spec: how it learned.
        trained_from: first interval of its history, UTC.
        trained_until: exclusive end of everything it has seen.
        losses: of each epoch.
        windows: training windows there were.
        held_out_windows: windows it was stopped and calibrated on.
        left_out_windows: windows left out because the weather of their horizon was not known when they begin.
        seconds: wall time of training and calibration.
    """

    network: keras.Model
    series_ids: tuple[str, ...]
    network_spec: NetworkSpec
    train_spec: TrainSpec
    trained_from: datetime
    trained_until: datetime
    losses: tuple[EpochLosses, ...]
    windows: int
    held_out_windows: int
    left_out_windows: int
    seconds: float

    @property
    def leads(self) -> int:
        """Intervals forecast at once."""
        return self.network_spec.leads

    @property
    def interval(self) -> timedelta:
        """Length of an interval."""
        return self.network_spec.interval

    def predict(self, inputs: Inputs) -> Floats:
        """Quantiles (window, lead, quantile), MW, for inputs of `window_inputs`."""
        return predict(self.network, inputs)


def fit(
    panel: Panel,
    *,
    train_until: int,
    network_spec: NetworkSpec,
    train_spec: TrainSpec,
    on_progress: Callable[[Progress], None] | None = None,
) -> TrainedModel:
    """A network trained and calibrated on everything before position `train_until` of the panel.

    Holes in observed temperatures are filled from days before; of a panel with vintages, windows whose weather was not
    known in time are left out. The same seed, data and machine give the same network, to rounding. `on_progress` is
    called every few steps.

    Raises:
        GridcastError: the history is too short.
    """
    started = time.monotonic()
    filled = panel if panel.vintages is not None else fill_missing_temperature(panel).panel
    leads = network_spec.leads
    split = split_windows(
        filled,
        train_until=train_until,
        leads=leads,
        blocks=train_spec.held_out_blocks,
        held_out_every=max(1, intervals_per_day(panel.interval) // 4 + 1),
    )
    weight = 1.0 / training_scale(filled, train_until=train_until)
    tf.config.experimental.enable_op_determinism()
    keras.utils.set_random_seed(train_spec.seed)
    network = build_network(network_spec, series=len(panel.series_ids))
    learner = Learner(filled, network, leads, train_spec, weight, on_progress, started)
    losses = learner.learn(split)
    _calibrate(learner, split.held_out)
    return TrainedModel(
        network=network,
        series_ids=panel.series_ids,
        network_spec=network_spec,
        train_spec=train_spec,
        trained_from=panel.moment(0),
        trained_until=panel.moment(train_until),
        losses=tuple(losses),
        windows=len(split.training.origin),
        held_out_windows=len(split.held_out.origin),
        left_out_windows=windows_without_weather(filled, leads=leads, stop=train_until),
        seconds=time.monotonic() - started,
    )


def _calibrate(learner: Learner, held_out: Windows) -> None:
    panel = learner.panel
    targets = window_targets(panel, series=held_out.series, origin=held_out.origin, leads=learner.leads)
    factors = gap_factors(targets, learner.predict_windows(held_out), interval=panel.interval)
    learner.network.get_layer("calibrated").factors.assign(factors)
