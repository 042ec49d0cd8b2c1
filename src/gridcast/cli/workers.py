"""Who trains together: workers on this machine, or those of a cluster that TF_CONFIG describes."""

import functools
import os
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from gridcast.domain.errors import UsageError
from gridcast.models.tensorflow.cluster import TF_CONFIG, Cluster

if TYPE_CHECKING:
    from gridcast.workflows.training.train_model import Crew

_GRIDCAST = (sys.executable, "-c", "from gridcast.cli import main; main()")


def cluster_from_outside(*, workers: int) -> Cluster | None:
    """The cluster that TF_CONFIG makes this process a worker of, if it is set and has more than one.

    Raises:
        UsageError: TF_CONFIG describes no cluster, or `workers` on this machine are wanted too.
    """
    text = os.environ.get(TF_CONFIG)
    if not text:
        return None
    if workers > 1:
        raise UsageError(
            f"--workers {workers} although TF_CONFIG is set, which makes this process a worker of a cluster; "
            "expected one of the two. Leave the option out, or unset TF_CONFIG."
        )
    cluster = Cluster.parse(text)
    return cluster if len(cluster.addresses) > 1 else None


def crew_of(cluster: Cluster | None, *, workers: int, config: Path | None) -> "Crew":
    """The crew of this process: the `cluster` it belongs to, `workers` on this machine, or nobody else."""
    if cluster is not None:
        return functools.partial(nullcontext, cluster)
    if workers == 1:
        return nullcontext
    from gridcast.workflows.training.local_workers import local_workers

    command = (*_GRIDCAST, "train", *(() if config is None else ("--config", str(config))))
    return functools.partial(local_workers, workers, command=command, environment=os.environ)
