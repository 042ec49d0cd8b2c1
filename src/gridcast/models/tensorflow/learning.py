"""The training loop: batches, steps, early stopping on held-out windows."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from gridcast.features.panel import Panel
from gridcast.features.windows import Inputs, Windows, window_inputs, window_targets
from gridcast.models.tensorflow.held_out import Split
from gridcast.models.tensorflow.losses import pinball
from gridcast.models.tensorflow.spec import TrainSpec

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


def predict(network: keras.Model, inputs: Inputs) -> Floats:
    """Quantiles (window, lead, quantile), MW, a few hundred windows at a time."""
    count = len(inputs["series"])
    parts = [
        np.asarray(network({name: values[first : first + PREDICTED_AT_ONCE] for name, values in inputs.items()}))
        for first in range(0, count, PREDICTED_AT_ONCE)
    ]
    return np.concatenate(parts)


@dataclass(slots=True, eq=False)
class Learner:
    """A network on its way from random weights to the best ones found.

    Attributes:
        panel: the history windows are cut from.
        network: what learns, in place.
        leads: intervals it forecasts at once.
        spec: how it learns.
        weight: (series,), what a MW of loss counts, so that large and small series matter alike.
        on_progress: told every few steps.
    """

    panel: Panel
    network: keras.Model
    leads: int
    spec: TrainSpec
    weight: Floats
    on_progress: Callable[[Progress], None] | None = None
    started: float = field(default_factory=time.monotonic)

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
            best_epoch = int(np.argmin([each.held_out for each in losses]))
            if best_epoch == epoch:
                best = self._weights()
            elif epoch - best_epoch >= self.spec.patience:
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
            target = window_targets(self.panel, series=series, origin=origin, leads=self.leads)
            inputs = {name: tf.constant(values) for name, values in self._inputs(series, origin).items()}
            total += float(step(inputs, tf.constant(target), tf.constant(self.weight[series])))
            if done % 10 == 0 and done < steps:
                self._tell(epoch, done / steps, total / done, losses)
        return total / steps

    def _held_out_loss(self, windows: Windows) -> float:
        target = window_targets(self.panel, series=windows.series, origin=windows.origin, leads=self.leads)
        quantiles = self.predict_windows(windows)
        return float(pinball(tf.constant(target), tf.constant(quantiles), weight=self.weight[windows.series]))

    def _inputs(self, series: npt.NDArray[np.int32], origin: npt.NDArray[np.int32]) -> Inputs:
        return window_inputs(self.panel, series=series, origin=origin, leads=self.leads)

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
