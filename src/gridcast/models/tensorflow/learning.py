"""The training loop of one member: batches from tf.data, steps, early stopping on held-out windows, going on later."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from gridcast.evaluation.conformal import conformal_factors, stretched
from gridcast.features.panel import Panel
from gridcast.features.windows import Inputs, Windows, intervals_per_day, window_inputs, window_targets
from gridcast.models.tensorflow.blinds import Blinds, blinded, draw_blinds
from gridcast.models.tensorflow.checkpoint import MemberState
from gridcast.models.tensorflow.distributed import Team, over_all, share_of_all
from gridcast.models.tensorflow.held_out import Split
from gridcast.models.tensorflow.losses import observed_count, pinball
from gridcast.models.tensorflow.network import INPUT_TYPES, input_shapes
from gridcast.models.tensorflow.spec import NetworkSpec, TrainSpec

Floats = npt.NDArray[np.float32]
PREDICTED_AT_ONCE = 512
BATCHES_AHEAD = 4
STEPS_BETWEEN_NEWS = 10
HELD_OUT_LOOKED_AT = 3
"""Of so many held-out windows one is forecast after every epoch: neighbours tell nearly the same."""


class News(NamedTuple):
    """How far a member is."""

    member: int
    """Which one, from 0."""
    epoch: int
    """Epochs it has completed."""
    done: float
    """Share of all it will do, 0 … 1."""
    training_loss: float
    """Mean pinball of the current epoch over the series' weekly change."""
    held_out_loss: float
    """The same on held-out windows, calibrated, after the last completed epoch; NaN during the first."""


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


def predict_windows(
    network: keras.Model, panel: Panel, windows: Windows, *, leads: int, blinds: Blinds | None = None
) -> Floats:
    """Quantiles (window, lead, quantile), MW, of windows of a panel, that see what `blinds` leave of it."""
    parts = []
    for first in range(0, len(windows.origin), PREDICTED_AT_ONCE):
        chunk = slice(first, first + PREDICTED_AT_ONCE)
        hidden = None if blinds is None else blinds.of(chunk)
        inputs = window_inputs(
            panel,
            series=windows.series[chunk],
            origin=windows.origin[chunk],
            leads=leads,
            visible=None if hidden is None else hidden.loads,
        )
        parts.append(predict(network, inputs if hidden is None else blinded(inputs, hidden)))
    return np.concatenate(parts)


@dataclass(slots=True, eq=False)
class Learner:
    """One member of an ensemble on its way from random weights to the best ones found.

    Attributes:
        panel: the history windows are cut from.
        network: what learns, in place.
        network_spec: its shape.
        spec: how it learns.
        member: which member it is, from 0.
        weight: (series,), what a MW of loss counts, so that large and small series matter alike.
        tell: called every few steps.
        team: the workers that learn it together.
    """

    panel: Panel
    network: keras.Model
    network_spec: NetworkSpec
    spec: TrainSpec
    member: int
    weight: Floats
    tell: Callable[[News], None]
    team: Team = field(default_factory=Team.alone)

    def learn(
        self, split: Split, *, resume: MemberState | None = None, keep: Callable[[MemberState], None] | None = None
    ) -> list[EpochLosses]:
        """Losses of every epoch; the network ends with the weights of the best one.

        Goes on from `resume` where there is one; `keep` is given the state after every epoch.
        """
        steps = self._steps(split.training)
        optimizer = _optimizer(self.spec, steps=steps * self.spec.epochs, network=self.network)
        step = _training_step(self.network, optimizer, team=self.team)
        losses: list[EpochLosses] = []
        best = self._weights()
        if resume is not None:
            losses, best = [EpochLosses(*each) for each in resume.losses], list(resume.best)
            _assign(self.network.variables, resume.variables)
            _assign(optimizer.variables, resume.optimizer)
            self._tell(0.0, losses[-1].training, losses)
        self.team.tell_noise_apart(self.network)
        while len(losses) < self.spec.epochs and not self._is_stuck(losses):
            training = self._epoch(step, split.training, steps=steps, losses=losses)
            held_out = self.team.of_chief(self._held_out_loss(split.held_out))
            losses.append(EpochLosses(training, held_out))
            if _best(losses) == len(losses) - 1:
                best = self._weights()
            if keep is not None:
                keep(MemberState(tuple(losses), _values(self.network.variables), _values(optimizer.variables), best))
            self._tell(0.0, training, losses)
        _assign(self.network.weights, best)
        return losses

    def _is_stuck(self, losses: list[EpochLosses]) -> bool:
        return bool(losses) and len(losses) - 1 - _best(losses) >= self.spec.patience

    def _steps(self, windows: Windows) -> int:
        shown = self.spec.windows_in_epoch(len(windows.origin), leads=self.network_spec.leads)
        return max(1, shown // self.spec.windows_in_step(leads=self.network_spec.leads))

    def _weights(self) -> list[npt.NDArray[Any]]:
        return _values(self.network.weights)

    def _epoch(self, step: Callable[..., Any], windows: Windows, *, steps: int, losses: list[EpochLosses]) -> float:
        total = tf.zeros(())
        for done, batch in enumerate(self._batches(windows, steps=steps, epoch=len(losses)), start=1):
            total += step(*batch)
            if done % STEPS_BETWEEN_NEWS == 0 and done < steps:
                self._tell(done / steps, float(total) / done, losses)
        return float(total) / steps

    def _batches(self, windows: Windows, *, steps: int, epoch: int) -> tf.data.Dataset:
        """Inputs, targets and weights of each step, made while the one before is learned from."""
        shapes = input_shapes(self.network_spec)
        types = {
            name: tf.TensorSpec((None, *shape), INPUT_TYPES.get(name, "float32")) for name, shape in shapes.items()
        }
        signature = (types, tf.TensorSpec((None, self.network_spec.leads)), tf.TensorSpec((None,)))
        batches = tf.data.Dataset.from_generator(
            lambda: self._cut(windows, steps=steps, epoch=epoch), output_signature=signature
        )
        return batches.prefetch(BATCHES_AHEAD)

    def _cut(self, windows: Windows, *, steps: int, epoch: int) -> Iterator[tuple[Inputs, Floats, Floats]]:
        """No window comes twice in an epoch; what is drawn depends on seed, member and epoch alone."""
        rng = np.random.default_rng((self.spec.seed, self.member, epoch))
        count, leads, per_day = len(windows.origin), self.network_spec.leads, intervals_per_day(self.panel.interval)
        shown = min(count, self.spec.windows_in_step(leads=leads) * steps)
        drawn = rng.choice(count, shown, replace=False, shuffle=True)
        newest = int(windows.origin.max())
        for chosen in np.array_split(drawn, steps):
            batch = Windows(windows.series[chosen], windows.origin[chosen])
            blinds = draw_blinds(batch, share=self.spec.blind_share, leads=leads, per_day=per_day, rng=rng)
            batch, blinds = self.team.share(batch), self.team.share(blinds)
            inputs = window_inputs(
                self.panel, series=batch.series, origin=batch.origin, leads=leads, visible=blinds.loads
            )
            target = window_targets(self.panel, series=batch.series, origin=batch.origin, leads=leads)
            age_days = (newest - batch.origin) / per_day
            weight = self.weight[batch.series] * 0.5 ** (age_days / self.spec.half_life_days)
            yield blinded(inputs, blinds), target, weight.astype(np.float32)

    def _held_out_loss(self, held_out: Windows) -> float:
        leads = self.network_spec.leads
        windows = Windows(held_out.series[::HELD_OUT_LOOKED_AT], held_out.origin[::HELD_OUT_LOOKED_AT])
        target = window_targets(self.panel, series=windows.series, origin=windows.origin, leads=leads)
        quantiles = predict_windows(self.network, self.panel, windows, leads=leads)
        factors = conformal_factors(target.ravel(), quantiles.reshape(-1, quantiles.shape[-1]))
        quantiles = stretched(quantiles, factors).astype(np.float32)
        return float(pinball(tf.constant(target), tf.constant(quantiles), weight=self.weight[windows.series]))

    def _tell(self, part: float, loss: float, losses: list[EpochLosses]) -> None:
        epoch = len(losses)
        is_over = part == 0.0 and (epoch == self.spec.epochs or self._is_stuck(losses))
        done = 1.0 if is_over else (epoch + part) / self.spec.epochs
        self.tell(News(self.member, epoch, done, loss, losses[-1].held_out if losses else math.nan))


def _best(losses: list[EpochLosses]) -> int:
    return int(np.argmin([each.held_out for each in losses]))


def _values(variables: Any) -> list[npt.NDArray[Any]]:
    return [np.array(variable.numpy()) for variable in variables]


def _assign(variables: Any, values: Any) -> None:
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def _optimizer(spec: TrainSpec, *, steps: int, network: keras.Model) -> keras.optimizers.Optimizer:
    schedule = keras.optimizers.schedules.CosineDecay(spec.learning_rate, steps)
    optimizer = keras.optimizers.AdamW(schedule, weight_decay=spec.weight_decay)
    optimizer.build(network.trainable_variables)
    return optimizer


def _training_step(network: keras.Model, optimizer: keras.optimizers.Optimizer, *, team: Team) -> Callable[..., Any]:
    def on_each_device(inputs: Any, target: Any, weight: Any) -> Any:
        share = share_of_all(observed_count(target))
        with tf.GradientTape() as tape:
            loss = share * pinball(target, network(inputs, training=True), weight=weight)
        gradients = tape.gradient(loss, network.trainable_variables)
        optimizer.apply(gradients, network.trainable_variables)  # adds up the gradients of all devices
        return over_all(loss)

    @tf.function
    def step(inputs: Any, target: Any, weight: Any) -> Any:
        return team.run(on_each_device, inputs, target, weight)

    return step
