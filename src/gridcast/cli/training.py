"""`gridcast train`: from clean history to a challenger."""

from contextlib import nullcontext
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from gridcast.cli.options import ConfigOption, Format, FormatOption
from gridcast.cli.output import progress, show

if TYPE_CHECKING:
    from gridcast.cli.installation import Installation
    from gridcast.models.tensorflow.cluster import Cluster
    from gridcast.models.tensorflow.train import Progress
    from gridcast.registry.catalogue import RegisteredModel
    from gridcast.workflows.training.train_model import Crew


def train(
    config: ConfigOption = None,
    again: Annotated[bool, typer.Option("--again", help="Train even if an equal model is registered.")] = False,
    workers: Annotated[int, typer.Option(help="Processes of this machine that learn together.", min=1, max=64)] = 1,
    output: FormatOption = Format.TABLE,
) -> None:
    """Train the quantile network on data/processed and register it as the challenger.

    The newest days are kept unseen, so that a backtest can judge the model. A model that was trained on the same data
    with the same settings is reused, and a training that was interrupted goes on after its last whole epoch. Where
    TF_CONFIG is set, as in a cluster, this process is one of its workers: the chief keeps the model.

    \b
    Examples:
      GRIDCAST_MODEL__TRAINING__SEED=7 gridcast train
      gridcast train --workers 4
    """
    from gridcast.cli.installation import Installation
    from gridcast.cli.workers import cluster_from_outside, crew_of

    here = Installation.open(config)
    cluster = cluster_from_outside(workers=workers)

    if cluster is not None and not cluster.is_chief:
        _learn_along(here, cluster, output=output)
        return
    crew = crew_of(cluster, workers=workers, config=config)
    model, reused = learn(here, unseen_from=here.unseen_from(), again=again, crew=crew)
    seconds = model.metrics.get("train_seconds", 0.0)
    show(
        {"version": model.version, "reused": reused, "metrics": dict(model.metrics), "params": dict(model.params)},
        rows=[{"measure": name, "value": value} for name, value in sorted(model.metrics.items())],
        last_line=f"reused model {model.version}, trained from the same data and settings."
        if reused
        else f"trained model {model.version} in {seconds:.0f} s on data until {model.tags['trained_until'][:16]}Z; "
        'it is the challenger. Next: "gridcast backtest".',
        output=output,
    )


def learn(
    here: "Installation", *, unseen_from: datetime, again: bool = False, because: str = "", crew: "Crew" = nullcontext
) -> "tuple[RegisteredModel, bool]":
    """Train on what an installation has from before a time, see `train_model`."""
    from gridcast.models.tensorflow.native_log import native_log_muted

    with native_log_muted():
        from gridcast.workflows.training.train_model import train_model

    with progress("training", total=1.0) as tell:
        return train_model(
            here.processed(),
            here.registry(),
            recipe=here.settings.model.recipe,
            unseen_from=unseen_from,
            scratch=here.workspace.data_dir / ".export.partial",
            on_progress=lambda at: tell(at.done, training_remark(at)),
            again=again,
            unfinished=here.workspace.unfinished_training,
            crew=crew,
            data_licence=here.data_licence,
            because=because,
            snapshots=here.workspace.snapshots,
        )


def _learn_along(here: "Installation", cluster: "Cluster", *, output: Format) -> None:
    from gridcast.models.tensorflow.native_log import native_log_muted

    with native_log_muted():
        from gridcast.workflows.training.train_model import make

    make(
        here.processed(),
        recipe=here.settings.model.recipe,
        until=here.unseen_from(),
        unfinished=here.workspace.unfinished_training,
        cluster=cluster,
    )
    rank, size = cluster.rank, len(cluster.addresses)
    show(
        {"worker": rank, "workers": size},
        last_line=f"worker {rank} of {size} is done; the chief keeps the model.",
        output=output,
    )


def training_remark(at: "Progress") -> str:
    """How far a training is, in words."""
    members = "" if at.members == 1 else f"{at.member}/{at.members} members, "
    return f"{members}epoch {at.epoch}/{at.epochs}, held-out loss {at.held_out_loss:.4f}"
