"""Training: an ensemble of seeds, each stopped early on held-out blocks, calibrated on them together."""

import functools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from gridcast.evaluation.copula import lead_correlation
from gridcast.features.panel import Panel
from gridcast.features.windows import Inputs, Windows, intervals_per_day, window_targets
from gridcast.models.tensorflow.blinds import LACKS, Blinds, blinds_without
from gridcast.models.tensorflow.calibration import HeldOut, calibrated, gap_factors, lack_factors
from gridcast.models.tensorflow.checkpoint import Checkpoint, MemberState
from gridcast.models.tensorflow.cluster import Cluster
from gridcast.models.tensorflow.distributed import Team
from gridcast.models.tensorflow.held_out import Split, split_windows, training_scale
from gridcast.models.tensorflow.held_out_scores import Scores, held_out_scores
from gridcast.models.tensorflow.learning import EpochLosses, Learner, Progress, predict, predict_windows
from gridcast.models.tensorflow.network import build_member, build_network
from gridcast.models.tensorflow.spec import NetworkSpec, TrainSpec

__all__ = ["Checkpoint", "EpochLosses", "Progress", "TrainedModel", "fit"]

SEEDS_APART = 7919
"""Between the seeds of two members, so that runs with neighbouring seeds share none."""
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
        losses: of each epoch of each member.
        windows: training windows of the first member.
        held_out_windows: windows members were stopped and calibrated on.
        lead_correlation: of the errors of two leads, by how many intervals they are apart, (lead,).
        held_out_scores: of those windows, before and after calibration.
        seconds: wall time of training and calibration.
    """

    network: keras.Model
    series_ids: tuple[str, ...]
    network_spec: NetworkSpec
    train_spec: TrainSpec
    trained_from: datetime
    trained_until: datetime
    losses: tuple[tuple[EpochLosses, ...], ...]
    windows: int
    held_out_windows: int
    lead_correlation: tuple[float, ...]
    held_out_scores: tuple[Scores, ...]
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
    checkpoint: Checkpoint | None = None,
    cluster: Cluster | None = None,
) -> TrainedModel:
    """An ensemble trained and calibrated on everything before position `train_until` of the panel.

    The same seed, data and machine give the same network, to rounding. `on_progress` is called every few steps. With a
    `checkpoint` the run goes on where an equal one was interrupted, and is kept after every epoch. The workers of a
    gathered `cluster` share the work and all get the same network; only its chief reads and writes the checkpoint.

    Raises:
        GridcastError: the history is too short, or a worker was lost.
    """
    started = time.monotonic()
    splits = split_windows(
        panel,
        train_until=train_until,
        leads=network_spec.leads,
        blocks=train_spec.held_out_blocks,
        members=train_spec.members,
        held_out_every=max(1, intervals_per_day(panel.interval) // 4 + 1),
    )
    tf.config.experimental.enable_op_determinism()
    run = _Run(panel, network_spec, train_spec, splits, on_progress, checkpoint, started, Team.of(cluster))
    with run.team.losses_told():
        members = run.train_members(weight=1.0 / training_scale(panel, train_until=train_until))
    network = build_network(network_spec, series=len(panel.series_ids), members=[each.network for each in members])
    held_out = _joined([each.held_out for each in members])
    factors = gap_factors(held_out, interval=panel.interval, series=len(panel.series_ids))
    network.get_layer("calibrated").calibrate(*factors)
    lacking = [_joined(parts) for parts in zip(*(each.lacking for each in members), strict=True)]
    network.get_layer("wider").calibrate(lack_factors(lacking, factors))
    calibrated_mw = calibrated(held_out, factors)
    return TrainedModel(
        network=network,
        series_ids=panel.series_ids,
        network_spec=network_spec,
        train_spec=train_spec,
        trained_from=panel.moment(0),
        trained_until=panel.moment(train_until),
        losses=tuple(each.losses for each in members),
        windows=len(splits[0].training.origin),
        held_out_windows=len(held_out.series),
        lead_correlation=tuple(lead_correlation(held_out.target_mw, calibrated_mw).tolist()),
        held_out_scores=held_out_scores(held_out, calibrated_mw=calibrated_mw, interval=panel.interval),
        seconds=time.monotonic() - started,
    )


class _Member(NamedTuple):
    """One that has learned."""

    network: keras.Model
    losses: tuple[EpochLosses, ...]
    held_out: HeldOut
    """Its forecasts of what it has not learned from."""
    lacking: tuple[HeldOut, ...]
    """The same of a share of these windows each, without one of `LACKS`."""


@dataclass(frozen=True, slots=True, eq=False)
class _Run:
    """One call of `fit`."""

    panel: Panel
    network_spec: NetworkSpec
    train_spec: TrainSpec
    splits: Sequence[Split]
    on_progress: Callable[[Progress], None] | None
    checkpoint: Checkpoint | None
    started: float
    team: Team

    def train_members(self, *, weight: Floats) -> list[_Member]:
        """Every member, with the weights of its best epoch."""
        kept = self._kept_before()
        return [self._train(number, split, weight=weight, kept=kept) for number, split in enumerate(self.splits)]

    def _train(self, number: int, split: Split, *, weight: Floats, kept: list[MemberState]) -> _Member:
        keras.utils.set_random_seed((self.train_spec.seed + number * SEEDS_APART) % 2**32)
        spec, told = self.train_spec, self.on_progress
        resume = kept[number] if number < len(kept) else None
        keep = None if self.checkpoint is None else functools.partial(self._keep, kept, number)
        with self.team.strategy.scope():
            member, network = self._build(number)
            learner = Learner(
                self.panel, network, self.network_spec, spec, number, weight, told, self.started, self.team
            )
            losses = learner.learn(split, resume=resume, keep=keep)
        if self.team.size > 1:
            shared = member
            member, network = self._build(number)
            member.set_weights(shared.get_weights())
        leads = self.network_spec.leads
        held_out = _held_out(network, self.panel, split.held_out, leads=leads)
        lacking = tuple(
            _without(network, self.panel, split.held_out, number, leads=leads) for number in range(len(LACKS))
        )
        return _Member(member, tuple(losses), held_out, lacking)

    def _build(self, number: int) -> tuple[keras.Model, keras.Model]:
        """An untrained member, and the network of it alone."""
        series = len(self.panel.series_ids)
        member = build_member(self.network_spec, series=series, name=f"member_{number}")
        return member, build_network(self.network_spec, series=series, members=[member])

    def _kept_before(self) -> list[MemberState]:
        if self.checkpoint is None:
            return []
        content = self.checkpoint.content() if self.team.is_chief else b""
        return self.checkpoint.states(self.team.bytes_of_chief(content))

    def _keep(self, kept: list[MemberState], number: int, state: MemberState) -> None:
        kept[number:] = [state]
        if self.checkpoint is not None and self.team.is_chief:
            self.checkpoint.write(kept)


def _without(network: keras.Model, panel: Panel, windows: Windows, number: int, *, leads: int) -> HeldOut:
    """Forecasts of every third window or so, without one of `LACKS`."""
    some = Windows(windows.series[number :: len(LACKS)], windows.origin[number :: len(LACKS)])
    blinds = blinds_without(some, LACKS[number], leads=leads, per_day=intervals_per_day(panel.interval))
    held_out = _held_out(network, panel, some, leads=leads, blinds=blinds)
    return held_out._replace(series=np.where(blinds.is_unknown, -1, held_out.series))


def _held_out(
    network: keras.Model, panel: Panel, windows: Windows, *, leads: int, blinds: Blinds | None = None
) -> HeldOut:
    valid = windows.origin[:, np.newaxis] + np.arange(leads)
    return HeldOut(
        target_mw=window_targets(panel, series=windows.series, origin=windows.origin, leads=leads),
        quantiles_mw=predict_windows(network, panel, windows, leads=leads, blinds=blinds),
        hour_of_day=panel.calendar.hour_of_day[panel.zone_of_series[windows.series][:, np.newaxis], valid],
        series=windows.series,
        day=windows.origin // intervals_per_day(panel.interval),
    )


def _joined(parts: Sequence[HeldOut]) -> HeldOut:
    return HeldOut(*(np.concatenate(values) for values in zip(*parts, strict=True)))
