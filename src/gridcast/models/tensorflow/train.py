"""Training: seeded, stopped early on held-out blocks, calibrated on them."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from gridcast.features.panel import Panel
from gridcast.features.temperature import fill_missing_temperature
from gridcast.features.windows import Inputs, Windows, intervals_per_day, window_inputs, window_targets
from gridcast.models.tensorflow.calibration import gap_factors
from gridcast.models.tensorflow.held_out import Split, split_windows, training_scale
from gridcast.models.tensorflow.losses import pinball
from gridcast.models.tensorflow.network import build_network
from gridcast.models.tensorflow.spec import NetworkSpec, TrainSpec

Floats = npt.NDArray[np.float32]
PREDICTED_AT_ONCE = 512


class Progress(NamedTuple):
    """Where a training run stands."""

    epoch: int
    """Epochs completed."""
    epochs: int
    done: float
    """Share of all epochs done, 0 … 1."""
    training_loss: float
    """Mean pinball of the current epoch over the series' weekly change."""
    held_out_loss: float
    """The same on held-out windows after the last completed epoch, NaN during the first."""
    seconds: float
    """Since the start."""


class EpochLosses(NamedTuple):
    """Losses of one epoch: mean pinball over the series' weekly change."""

    training: float
    held_out: float


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

    The same seed, data and machine give the same network. `on_progress` is called every few steps.

    Raises:
        GridcastError: the history is too short.
    """
    started = time.monotonic()
    filled = fill_missing_temperature(panel).panel
    split = split_windows(
        filled,
        train_until=train_until,
        leads=network_spec.leads,
        blocks=train_spec.held_out_blocks,
        held_out_every=max(1, intervals_per_day(panel.interval) // 4 + 1),
    )
    weight = 1.0 / training_scale(filled, train_until=train_until)
    tf.config.experimental.enable_op_determinism()
    keras.utils.set_random_seed(train_spec.seed)
    network = build_network(network_spec, series=len(panel.series_ids))
    run = _Run(filled, network, network_spec, train_spec, weight, started, on_progress)
    losses = run.learn(split)
    held_out = split.held_out
    targets = window_targets(filled, series=held_out.series, origin=held_out.origin, leads=network_spec.leads)
    factors = gap_factors(targets, run.predict_windows(held_out), interval=panel.interval)
    network.get_layer("calibrated").factors.assign(factors)
    return TrainedModel(
        network=network,
        series_ids=panel.series_ids,
        network_spec=network_spec,
        train_spec=train_spec,
        trained_from=panel.moment(0),
        trained_until=panel.moment(train_until),
        losses=tuple(losses),
        windows=len(split.training.origin),
        held_out_windows=len(held_out.origin),
        seconds=time.monotonic() - started,
    )


def predict(network: keras.Model, inputs: Inputs) -> Floats:
    """Quantiles (window, lead, quantile), MW, a few hundred windows at a time."""
    count = len(inputs["series"])
    parts = [
        np.asarray(network({name: values[first : first + PREDICTED_AT_ONCE] for name, values in inputs.items()}))
        for first in range(0, count, PREDICTED_AT_ONCE)
    ]
    return np.concatenate(parts)


@dataclass(slots=True, eq=False)
class _Run:
    panel: Panel
    network: keras.Model
    network_spec: NetworkSpec
    spec: TrainSpec
    weight: Floats
    started: float
    on_progress: Callable[[Progress], None] | None

    def learn(self, split: Split) -> list[EpochLosses]:
        """Losses of every epoch; the network ends with the weights of the best one."""
        rng = np.random.default_rng(self.spec.seed)
        per_epoch = min(self.spec.windows_per_epoch, len(split.training.origin))
        steps = max(1, per_epoch // self.spec.batch_size)
        step = _training_step(self.network, self.spec, steps=steps * self.spec.epochs)
        losses: list[EpochLosses] = []
        best = self._weights()
        for epoch in range(self.spec.epochs):
            training = self._epoch(step, split.training, rng=rng, steps=steps, epoch=epoch, losses=losses)
            losses.append(EpochLosses(training, self._held_out_loss(split.held_out)))
            self._tell(epoch + 1, 0.0, losses[-1].training, losses)
            order = np.argsort([each.held_out for each in losses], kind="stable")
            if order[0] == epoch:
                best = self._weights()
            elif epoch - order[0] >= self.spec.patience:
                break
        for variable, value in zip(self.network.weights, best, strict=True):
            variable.assign(value)
        return losses

    def _weights(self) -> list[Any]:
        return [tf.identity(variable.value) for variable in self.network.weights]

    def predict_windows(self, windows: Windows) -> Floats:
        """Quantiles (window, lead, quantile), MW."""
        parts = []
        for first in range(0, len(windows.origin), PREDICTED_AT_ONCE):
            chunk = slice(first, first + PREDICTED_AT_ONCE)
            parts.append(predict(self.network, self._inputs(windows.series[chunk], windows.origin[chunk])))
        return np.concatenate(parts)

    def _epoch(
        self,
        step: Callable[..., Any],
        windows: Windows,
        *,
        rng: np.random.Generator,
        steps: int,
        epoch: int,
        losses: Sequence[EpochLosses],
    ) -> float:
        total = 0.0
        for done, chosen in enumerate(_batches(windows, rng=rng, size=self.spec.batch_size, steps=steps), start=1):
            series, origin = windows.series[chosen], windows.origin[chosen]
            target = window_targets(self.panel, series=series, origin=origin, leads=self.network_spec.leads)
            inputs = {name: tf.constant(values) for name, values in self._inputs(series, origin).items()}
            total += float(step(inputs, tf.constant(target), tf.constant(self.weight[series])))
            if done % 10 == 0 and done < steps:
                self._tell(epoch, done / steps, total / done, losses)
        return total / steps

    def _held_out_loss(self, windows: Windows) -> float:
        target = window_targets(self.panel, series=windows.series, origin=windows.origin, leads=self.network_spec.leads)
        quantiles = self.predict_windows(windows)
        return float(pinball(tf.constant(target), tf.constant(quantiles), weight=self.weight[windows.series]))

    def _inputs(self, series: npt.NDArray[np.int32], origin: npt.NDArray[np.int32]) -> Inputs:
        return window_inputs(self.panel, series=series, origin=origin, leads=self.network_spec.leads)

    def _tell(self, epoch: int, part: float, loss: float, losses: Sequence[EpochLosses]) -> None:
        if self.on_progress is not None:
            held_out = losses[-1].held_out if losses else float("nan")
            done = (epoch + part) / self.spec.epochs
            self.on_progress(Progress(epoch, self.spec.epochs, done, loss, held_out, time.monotonic() - self.started))


def _batches(windows: Windows, *, rng: np.random.Generator, size: int, steps: int) -> Iterator[npt.NDArray[np.int64]]:
    """Positions of the windows of each step; none comes twice in an epoch."""
    count = len(windows.origin)
    drawn = rng.choice(count, min(count, size * steps), replace=False, shuffle=True)
    yield from np.array_split(drawn, steps)


def _training_step(network: keras.Model, spec: TrainSpec, *, steps: int) -> Callable[..., Any]:
    schedule = keras.optimizers.schedules.CosineDecay(spec.learning_rate, steps)
    optimizer = keras.optimizers.AdamW(schedule, weight_decay=spec.weight_decay)
    optimizer.build(network.trainable_variables)

    @tf.function
    def step(inputs: Any, target: Any, weight: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = pinball(target, network(inputs, training=True), weight=weight)
        gradients = tape.gradient(loss, network.trainable_variables)
        optimizer.apply(gradients, network.trainable_variables)
        return loss

    return step
