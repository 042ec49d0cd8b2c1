"""`gridcast model`: which models there are, who is in charge, and how it came to that."""

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gridcast.cli.options import ConfigOption, DryRunOption, Format, FormatOption
from gridcast.cli.output import show
from gridcast.cli.training import training_remark

if TYPE_CHECKING:
    from gridcast.cli.installation import Installation
    from gridcast.registry.catalogue import RegisteredModel
    from gridcast.workflows.lifecycle.promote_model import Office, Promotion

model_app = typer.Typer(
    help="List, compare, promote, try out, approve, roll back and reproduce models.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

ActorOption = Annotated[str | None, typer.Option(help="Who decides. [default: the user logged in]")]
ReasonOption = Annotated[str, typer.Option(help="Why, for the record.")]
VersionArgument = Annotated[str, typer.Argument(help="Version number or alias, such as champion.")]


@model_app.command("list")
def list_models(config: ConfigOption = None, output: FormatOption = Format.TABLE) -> None:
    """Show every registered model, oldest first.

    \b
    Example:
      gridcast model list
    """
    from gridcast.cli.installation import Installation

    versions = Installation.open(config).registry().versions()
    rows = [_row(each) for each in versions]
    show(
        {"models": [_facts(each) for each in versions]},
        rows=rows,
        last_line=f"{len(rows)} models; {_in_charge(versions)}.",
        output=output,
    )


@model_app.command("show")
def show_model(version: VersionArgument, config: ConfigOption = None, output: FormatOption = Format.TABLE) -> None:
    """Show all that is known of a model: lineage, settings, measurements, decisions.

    \b
    Examples:
      gridcast model show champion
      gridcast model show 3 --format json
    """
    from gridcast.cli.installation import Installation

    model = Installation.open(config).registry().get(version)
    parts = {"tag": model.tags, "param": model.params, "metric": model.metrics}
    rows = [
        {"kind": kind, "name": name, "value": value}
        for kind, part in parts.items()
        for name, value in sorted(part.items())
    ]
    aliases = f", {' and '.join(model.aliases)}" if model.aliases else ""
    show(_facts(model), rows=rows, last_line=f"model {model.version}{aliases}; {model.directory}.", output=output)


@model_app.command()
def diff(
    a: VersionArgument, b: VersionArgument, config: ConfigOption = None, output: FormatOption = Format.TABLE
) -> None:
    """Show in what two models differ: data, code, settings, measurements.

    \b
    Example:
      gridcast model diff champion challenger
    """
    from gridcast.cli.installation import Installation
    from gridcast.workflows.lifecycle.model_differences import differences

    registry = Installation.open(config).registry()
    first, second = registry.get(a), registry.get(b)
    rows = differences(first, second)
    show(
        {"a": first.version, "b": second.version, "differences": rows},
        rows=rows,
        last_line=f"models {first.version} and {second.version} differ in {len(rows)} facts.",
        output=output,
    )


@model_app.command()
def promote(
    version: Annotated[
        str | None,
        typer.Argument(help="Version number or alias. [default: the challenger, or the champion if there is none]"),
    ] = None,
    config: ConfigOption = None,
    on_trial: Annotated[
        bool, typer.Option("--shadow", help="Only let it forecast beside the champion, in the layer shadow.")
    ] = False,
    actor: ActorOption = None,
    dry_run: DryRunOption = False,
    output: FormatOption = Format.TABLE,
) -> None:
    """Put a model in charge, or on trial, if it passes the gate on days neither it nor the champion has seen.

    Exit code 3 and the reason if it does not; the champion stays. The champion that was goes on beside the new one for
    retraining.watch, so that "gridcast retrain" can tell whether to go back.

    \b
    Examples:
      gridcast model promote
      gridcast model promote 2 --dry-run
      gridcast model promote 3 --shadow
    """
    with _office(config, actor=actor, dry_run=dry_run) as (here, office):
        done = office.promote(
            office.registry.get(version) if version else office.registry.candidate(),
            gate=here.settings.model.gate,
            compare=here.judge().compare,
            on_trial=on_trial,
            is_watched=here.settings.model.retraining.watch.total_seconds() > 0,
        )
    does = "is on trial" if on_trial else "is champion"
    verb = f"would pass: it {does}" if dry_run else does if done.changed else "stays champion"
    _show_promotion(done, f"model {done.version} {verb}: {done.reason}.", output=output)


@model_app.command()
def withdraw(
    config: ConfigOption = None,
    reason: ReasonOption = "",
    actor: ActorOption = None,
    dry_run: DryRunOption = False,
    output: FormatOption = Format.TABLE,
) -> None:
    """End the trial of the model that forecasts beside the champion.

    \b
    Example:
      gridcast model withdraw --reason "no better after two weeks"
    """
    with _office(config, actor=actor, dry_run=dry_run) as (_, office):
        ended = office.end_trial(reason=reason)
    show(
        {"version": ended.version, "changed": not dry_run},
        last_line=f"model {ended.version} {'would no longer be' if dry_run else 'is no longer'} on trial.",
        output=output,
    )


@model_app.command()
def rollback(
    config: ConfigOption = None,
    reason: ReasonOption = "",
    actor: ActorOption = None,
    dry_run: DryRunOption = False,
    output: FormatOption = Format.TABLE,
) -> None:
    """Put the model back in charge that was before the champion, at once and without a gate.

    A running stream takes it over within seconds. Rolling back once more undoes it.

    \b
    Example:
      gridcast model rollback --reason "night valley 5 % too low since Monday"
    """
    with _office(config, actor=actor, dry_run=dry_run) as (_, office):
        done = office.roll_back(reason=reason)
    verb = "would be" if dry_run else "is"
    _show_promotion(done, f"model {done.version} {verb} champion again, {done.reason}.", output=output)


@model_app.command()
def approve(
    version: VersionArgument,
    config: ConfigOption = None,
    reason: ReasonOption = "",
    actor: ActorOption = None,
    dry_run: DryRunOption = False,
    output: FormatOption = Format.TABLE,
) -> None:
    """Keep that you approve of a model; where gate.approvals is set, somebody else can then promote it.

    \b
    Example:
      gridcast model approve 4 --reason "errors of the holidays looked at"
    """
    with _office(config, actor=actor, dry_run=dry_run) as (_, office):
        model = office.registry.get(version)
        office.approve(model, reason=reason)
    show(
        {"version": model.version, "actor": office.actor, "changed": not dry_run},
        last_line=f"{office.actor} {'would approve' if dry_run else 'approves'} of model {model.version}.",
        output=output,
    )


@model_app.command()
def history(
    newest: Annotated[int, typer.Option(min=1, max=10_000, help="How many steps.")] = 50,
    version: Annotated[str | None, typer.Option(help="Only of this version.")] = None,
    config: ConfigOption = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Show what became of models, who decided it and why, oldest first; "gridcast audit verify" proves it whole.

    \b
    Examples:
      gridcast model history
      gridcast model history --version 3 --format json
    """
    from gridcast.cli.installation import Installation
    from gridcast.workflows.lifecycle.model_history import read_history

    with Installation.open(config).store() as store:
        found = read_history(store, newest=newest, version=version)
    rows = [
        {
            "at": each.at,
            "step": each.action.removeprefix("model."),
            "model": each.target.removeprefix("model ") if each.target != "no model" else "",
            "actor": each.actor,
            "data_until": each.detail.get("known_until"),
            "reason": each.detail.get("reason"),
        }
        for each in found
    ]
    show(
        {"steps": [{**row, "hash": each.hash} for row, each in zip(rows, found, strict=True)]},
        rows=rows,
        last_line=f"{len(rows)} steps.",
        output=output,
    )


@model_app.command()
def reproduce(
    version: VersionArgument,
    config: ConfigOption = None,
    tolerance: Annotated[float, typer.Option(min=0.0, help="Share by which a measurement may differ.")] = 0.005,
    output: FormatOption = Format.TABLE,
) -> None:
    """Train a model once more from the recorded data, seed and settings, judge both, and show how they differ.

    Nothing is registered. Exit code 3 if a measurement differs by more than the tolerance.

    \b
    Example:
      gridcast model reproduce champion
    """
    from gridcast.cli.installation import Installation
    from gridcast.cli.output import progress
    from gridcast.domain.errors import GateRefusedError
    from gridcast.models.tensorflow.native_log import native_log_muted

    here = Installation.open(config)
    with native_log_muted():
        from gridcast.workflows.lifecycle.reproduce_model import reproduce_model

    with progress("training", total=1.0) as tell:
        found = reproduce_model(
            here.registry().get(version),
            snapshots=here.workspace.snapshots,
            days=here.settings.model.backtest.days,
            local_hour=here.settings.model.backtest.local_hour,
            on_progress=lambda at: tell(at.done, training_remark(at)),
        )
    worst = max((abs(each.relative) for each in found.measures), default=0.0)
    show(
        {
            "version": found.version,
            "remarks": list(found.remarks),
            "measures": [each._asdict() for each in found.measures],
            "largest_difference": worst,
        },
        rows=[each._asdict() for each in found.measures],
        last_line=f"model {found.version} made again: the largest difference is {worst:.2%}"
        f"{''.join(f'; {each}' for each in found.remarks)}.",
        output=output,
    )
    if worst > tolerance:
        raise GateRefusedError(
            f"model {found.version} is not reproduced: a measurement differs by {worst:.2%}, expected "
            f"{tolerance:.2%} at most."
        )


@contextmanager
def _office(config: Path | None, *, actor: str | None, dry_run: bool) -> "Iterator[tuple[Installation, Office]]":
    """An installation and where it is decided there who is in charge."""
    from gridcast.cli.installation import Installation
    from gridcast.workflows.lifecycle.promote_model import Office

    here = Installation.open(config)
    with here.store() as store:
        yield here, Office(here.registry(), store, here.known_until(store), actor or user(), dry_run=dry_run)


def _show_promotion(done: "Promotion", last_line: str, *, output: Format) -> None:
    show(
        {"version": done.version, "previous": done.previous, "reason": done.reason, "changed": done.changed},
        last_line=last_line,
        output=output,
    )


def _row(model: "RegisteredModel") -> dict[str, object]:
    return {
        "version": model.version,
        "aliases": ", ".join(model.aliases),
        "created_at": model.created_at,
        "trained_until": model.tags.get("trained_until", "")[:16],
        "pinball_mw": model.metrics.get("pinball_model"),
        "coverage_80": model.metrics.get("coverage_80"),
        "because": model.tags.get("trained_because", ""),
        "verdict": model.tags.get("verdict", ""),
    }


def _facts(model: "RegisteredModel") -> dict[str, object]:
    return {
        "version": model.version,
        "aliases": list(model.aliases),
        "created_at": model.created_at,
        "directory": model.directory,
        "tags": dict(model.tags),
        "params": dict(model.params),
        "metrics": dict(model.metrics),
    }


def _in_charge(versions: "list[RegisteredModel]") -> str:
    from gridcast.registry.catalogue import CHAMPION, with_alias

    champion = with_alias(versions, CHAMPION)
    return "none is in charge" if champion is None else f"{champion.version} is in charge"


def user() -> str:
    """Who is logged in, as far as the machine knows."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
