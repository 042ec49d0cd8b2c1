"""Training on several workers: each learns from its share of every batch, and their gradients are added up."""

import contextlib
import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from gridcast.domain.errors import GridcastError
from gridcast.models.tensorflow.cluster import Cluster
from gridcast.models.tensorflow.native_log import native_log_muted

PATIENCE_SECONDS = 300.0
"""How long one worker waits for another at a sum before it gives up."""
_LOST = (
    tf.errors.UnavailableError,
    tf.errors.DeadlineExceededError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.InternalError,
)
Arrays = TypeVar("Arrays")


@dataclass(frozen=True, slots=True, eq=False)
class Team:
    """The workers of one training run as one of them sees it; a single process is a team of one.

    Attributes:
        strategy: under whose scope network and optimizer are built.
        rank: position of this worker; the chief is 0.
        size: how many there are.
    """

    strategy: tf.distribute.Strategy
    rank: int = 0
    size: int = 1

    @property
    def is_chief(self) -> bool:
        """Whether this worker keeps what is learned."""
        return self.rank == 0

    @classmethod
    def alone(cls) -> "Team":
        """This process only."""
        return cls(tf.distribute.get_strategy())

    @classmethod
    def of(cls, cluster: Cluster | None) -> "Team":
        """The team of a gathered cluster, connected before TensorFlow computes anything; without one, this process."""
        for device in tf.config.list_physical_devices("GPU"):
            with contextlib.suppress(RuntimeError):  # it is in use already
                tf.config.experimental.set_memory_growth(device, True)
        if cluster is None:
            return cls.alone()
        jobs = tf.train.ClusterSpec({"worker": list(cluster.addresses)})
        place = tf.distribute.cluster_resolver.SimpleClusterResolver(jobs, "", "worker", cluster.rank, rpc_layer="grpc")
        options = tf.distribute.experimental.CommunicationOptions(timeout_seconds=PATIENCE_SECONDS)
        with native_log_muted():
            strategy = tf.distribute.MultiWorkerMirroredStrategy(place, communication_options=options)
        return cls(strategy, cluster.rank, len(cluster.addresses))

    def share(self, batch: Arrays) -> Arrays:
        """This worker's part of arrays (window, …), alone or in named tuples; the parts of all make the whole."""
        shared: Arrays = keras.tree.map_structure(lambda values: values[self.rank :: self.size], batch)
        return shared

    def run(self, step: Callable[..., Any], *args: Any) -> Any:
        """What `step` gives, once it has run on every device of the team; inside a graph."""
        return self.strategy.experimental_local_results(self.strategy.run(step, args=args))[0]

    def total(self, values: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """The sum of what all workers bring to the same call."""
        brought = np.asarray(values, dtype=np.float64)
        if self.size == 1:
            return brought
        devices = self.strategy.num_replicas_in_sync // self.size
        return np.asarray(_summing(self)(tf.constant(brought / devices)), dtype=np.float64)

    def of_chief(self, value: float) -> float:
        """The value the chief brings to the call: what others computed may differ in the last digits."""
        return float(self.total(value if self.is_chief else 0.0))

    def bytes_of_chief(self, content: bytes) -> bytes:
        """What the chief brings; the others bring nothing."""
        if self.size == 1:
            return content
        length = int(self.total(len(content)))
        if length == 0:
            return b""
        values = np.frombuffer(content or bytes(length), dtype=np.uint8)
        return np.rint(self.total(values)).astype(np.uint8).tobytes()

    def tell_noise_apart(self, network: keras.Model) -> None:
        """Give the random layers of each worker noise of their own."""
        weights = {id(each) for each in network.weights}
        for variable in network.variables:
            if id(variable) not in weights:
                variable.assign(variable.numpy() + np.array([self.rank, 0]))

    @contextlib.contextmanager
    def losses_told(self) -> Iterator[None]:
        """Say in words that another worker was lost.

        Raises:
            GridcastError: one ended, or did not answer.
        """
        try:
            yield
        except _LOST as error:
            if self.size == 1:
                raise
            raise GridcastError(
                f"worker {self.rank} of {self.size}: another one ended, or did not answer for {PATIENCE_SECONDS:.0f} s "
                f"({type(error).__name__}); expected all of them until the end. See what the others say, and start all "
                "of them again: training goes on after the last whole epoch."
            ) from error


@functools.cache
def _summing(team: Team) -> Callable[..., Any]:
    return tf.function(lambda value: team.run(over_all, value), reduce_retracing=True)


def share_of_all(count: Any) -> Any:
    """What part of all that the devices of a team count this one has; inside a step."""
    return tf.math.divide_no_nan(count, over_all(count))


def over_all(value: Any) -> Any:
    """The sum over all devices of a team; inside a step."""
    return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, tf.identity(value))
