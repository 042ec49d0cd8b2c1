"""Training: an ensemble of seeds, each stopped early on held-out blocks, calibrated on them together."""

import contextlib
import functools
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
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
from gridcast.models.tensorflow.cores import cores
from gridcast.models.tensorflow.distributed import Team
from gridcast.models.tensorflow.held_out import Split, split_windows, training_scale
from gridcast.models.tensorflow.held_out_scores import Scores, held_out_scores
from gridcast.models.tensorflow.learning import EpochLosses, Learner, News, predict, predict_windows
from gridcast.models.tensorflow.network import build_member, build_network
from gridcast.models.tensorflow.side_by_side import side_by_side
from gridcast.models.tensorflow.spec import NetworkSpec, TrainSpec

__all__ = ["Checkpoint", "EpochLosses", "Progress", "TrainedModel", "fit"]

SEEDS_APART = 7919
"""Between the seeds of two members, so that runs with neighbouring seeds share none."""
Floats = npt.NDArray[np.float32]


class Progress(NamedTuple):
    """Where a training run stands."""

    member: int
    """Members completed."""
    members: int
    epoch: int
    """Epochs completed by the member that was heard of last."""
    epochs: int
    done: float
    """Share of everything done, 0 … 1."""
    training_loss: float
    """Of that member: mean pinball of its current epoch over the series' weekly change."""
    held_out_loss: float
    """The same on held-out windows, calibrated, after its last completed epoch; NaN during the first."""
    seconds: float
    """Since the start."""


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
    at_once = _members_at_once(train_spec.members, is_alone=cluster is None)
    run = _Run(panel, network_spec, train_spec, splits, on_progress, checkpoint, started, Team.of(cluster), at_once)
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


def _members_at_once(members: int, *, is_alone: bool) -> int:
    """As many as there are cores; one where they share a device or learn with other workers.

    Small products gain nothing from several threads: on two cores a step takes 46.8 ms with one and 54.1 with two, and
    41.7 with one where two members learn.
    """
    at_once = min(members, cores()) if is_alone and not tf.config.list_physical_devices("GPU") else 1
    with contextlib.suppress(RuntimeError):  # TensorFlow has computed before
        tf.config.threading.set_intra_op_parallelism_threads(max(1, cores() // (2 * at_once)))
    return at_once


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
    at_once: int
    keeping: threading.Lock = field(default_factory=threading.Lock)

    def train_members(self, *, weight: Floats) -> list[_Member]:
        """Every member, with the weights of its best epoch."""
        kept = self._kept_before()
        built = [self._build(number) for number in range(len(self.splits))]
        jobs = [functools.partial(self._train, number, *each, weight, kept) for number, each in enumerate(built)]
        return side_by_side(jobs, at_once=self.at_once, on_news=self._telling())

    def _train(
        self,
        number: int,
        member: keras.Model,
        network: keras.Model,
        weight: Floats,
        kept: dict[int, MemberState],
        tell: Callable[[News], None],
    ) -> _Member:
        split, leads = self.splits[number], self.network_spec.leads
        keep = None if self.checkpoint is None else functools.partial(self._keep, kept, number)
        with self.team.strategy.scope():
            learner = Learner(self.panel, network, self.network_spec, self.train_spec, number, weight, tell, self.team)
            losses = learner.learn(split, resume=kept.get(number), keep=keep)
        if self.team.size > 1:
            shared = member
            member, network = self._new(number)
            member.set_weights(shared.get_weights())
        held_out = _held_out(network, self.panel, split.held_out, leads=leads)
        lacking = tuple(_without(network, self.panel, split.held_out, lack, leads=leads) for lack in range(len(LACKS)))
        return _Member(member, tuple(losses), held_out, lacking)

    def _telling(self) -> Callable[[News], None]:
        """Turns news of members into the progress of the whole."""
        done = [0.0] * len(self.splits)

        def tell(news: News) -> None:
            done[news.member] = news.done
            if self.on_progress is not None:
                seconds = time.monotonic() - self.started
                members, epochs = len(done), self.train_spec.epochs
                share, losses = sum(done) / members, (news.training_loss, news.held_out_loss)
                self.on_progress(Progress(done.count(1.0), members, news.epoch, epochs, share, *losses, seconds))

        return tell

    def _build(self, number: int) -> tuple[keras.Model, keras.Model]:
        """An untrained member, and the network of it alone; what is random in it depends on seed and number alone."""
        keras.utils.set_random_seed((self.train_spec.seed + number * SEEDS_APART) % 2**32)
        with self.team.strategy.scope():
            return self._new(number)

    def _new(self, number: int) -> tuple[keras.Model, keras.Model]:
        series = len(self.panel.series_ids)
        member = build_member(self.network_spec, series=series, name=f"member_{number}")
        return member, build_network(self.network_spec, series=series, members=[member])

    def _kept_before(self) -> dict[int, MemberState]:
        if self.checkpoint is None:
            return {}
        content = self.checkpoint.content() if self.team.is_chief else b""
        return self.checkpoint.states(self.team.bytes_of_chief(content))

    def _keep(self, kept: dict[int, MemberState], number: int, state: MemberState) -> None:
        with self.keeping:
            kept[number] = state
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
