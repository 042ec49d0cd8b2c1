"""`gridcast retrain`: the model renews itself."""

from typing import TYPE_CHECKING, Annotated

import typer

from gridcast.cli.models import ActorOption, user
from gridcast.cli.options import ConfigOption, DryRunOption, Format, FormatOption
from gridcast.cli.output import show
from gridcast.cli.training import learn
from gridcast.domain.errors import GateRefusedError

if TYPE_CHECKING:
    from gridcast.registry.catalogue import RegisteredModel


def retrain(
    config: ConfigOption = None,
    only_if_drifted: Annotated[
        bool, typer.Option("--if-drifted", help="Train only if 'gridcast drift' found some, not by schedule.")
    ] = False,
    is_forced: Annotated[bool, typer.Option("--now", help="Train now, whenever the last training was.")] = False,
    actor: ActorOption = None,
    dry_run: DryRunOption = False,
    output: FormatOption = Format.TABLE,
) -> None:
    """Take the next step in the life of the model; meant to be called every day, after prepare and drift.

    It watches a new champion and goes back to the former one if that would do better, decides a trial that is over, and
    trains, judges and promotes a challenger when one is due. See "retraining" in config/model_config.yaml. Every step
    is kept: "gridcast model history". A call that was interrupted is gone on with by the next.

    Exit code 3 if a challenger was refused.

    \b
    Examples:
      gridcast retrain
      gridcast retrain --if-drifted
      gridcast retrain --now --dry-run
    """
    from gridcast.cli.installation import Installation
    from gridcast.ingestion.locks import retraining_alone
    from gridcast.models.tensorflow.native_log import native_log_muted

    with native_log_muted():
        from gridcast.workflows.lifecycle.promote_model import Office
        from gridcast.workflows.lifecycle.retrain import Outcome, Renewal
    from gridcast.workflows.watching.drift_state import read_drift

    here = Installation.open(config)
    rules, processed = here.settings.model.retraining, here.processed()

    def train(because: str) -> "RegisteredModel":
        return learn(here, unseen_from=here.unseen_from(days=rules.judged_days), because=because)[0]

    with retraining_alone(here.workspace.data_dir), here.store() as store:
        registry = here.registry()
        done = Renewal(
            office=Office(registry, store, here.known_until(store), actor or f"{user()} (retrain)", dry_run=dry_run),
            processed=processed,
            rules=rules,
            gate=here.settings.model.gate,
            train=train,
            compare=here.judge(days=rules.judged_days).compare,
            drift=read_drift(here.workspace.drift),
        ).step(only_if_drifted=only_if_drifted, is_forced=is_forced)
    about = f"model {done.version}: " if done.version else ""
    show(
        {"outcome": done.outcome, "version": done.version or None, "reason": done.reason},
        last_line=f"{done.outcome}; {about}{done.reason}",
        output=output,
    )
    if done.outcome is Outcome.REFUSED:
        raise GateRefusedError(f"{about}{done.reason}")
