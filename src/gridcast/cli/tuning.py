"""`gridcast tune`: better settings by trial."""

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gridcast.cli.options import ConfigOption, DryRunOption, Format, FormatOption, duration
from gridcast.cli.output import progress, show

if TYPE_CHECKING:
    from gridcast.cli.installation import Installation
    from gridcast.workflows.training.tune_model import Tuned, TuningProgress

SHOWN = 10


def tune(
    config: ConfigOption = None,
    trials: Annotated[int, typer.Option(help="Trials in all, those of earlier runs counted.", min=1)] = 20,
    time: Annotated[str | None, typer.Option(help="Begin no trial after this long: PT30M. [default: no limit]")] = None,
    dry_run: DryRunOption = False,
    output: FormatOption = Format.TABLE,
) -> None:
    """Search better settings of network and training on the training history; the days kept for judging stay unseen.

    Each trial trains one network and is given up early where it does worse than most. The first has the settings in
    force. Trials are kept in data/tuning as they end: stop it whenever you like, the same command goes on. The best
    settings are printed as they stand in config/model_config.yaml; nothing there is changed.

    \b
    Examples:
      gridcast tune --dry-run
      gridcast tune --trials 40 --time PT30M
    """
    from gridcast.cli.installation import Installation

    limit = None if time is None else duration(time)
    here = Installation.open(config)
    tuned = _before(here) if dry_run else _run(here, trials=trials, limit=limit)
    tables = {"search space": _space(here)} if dry_run else {}
    show(
        {
            "study": tuned.study,
            "trials": tuned.trials.to_dicts(),
            "begun": tuned.begun,
            "best": tuned.best,
            "held_out_loss": tuned.loss,
            "present_held_out_loss": tuned.present_loss,
            "improvement": tuned.improvement,
            "yaml": tuned.yaml,
            "space": _space(here),
        },
        tables={**tables, "trials": _shown(tuned)},
        last_line=_said(tuned, here=here, trials=trials, dry_run=dry_run),
        output=output,
    )


def _run(here: "Installation", *, trials: int, limit: timedelta | None) -> "Tuned":
    from gridcast.models.tensorflow.native_log import native_log_muted

    with native_log_muted():
        from gridcast.workflows.training.tune_model import Budget, tune_model

    with progress("tuning", total=float(trials)) as tell:

        def told(at: "TuningProgress") -> None:
            tell(at.trial + at.training.done, _remark(at, trials=trials))

        return tune_model(
            here.processed(),
            recipe=here.settings.model.recipe,
            until=here.unseen_from(),
            directory=here.workspace.tuning,
            budget=Budget(trials=trials, time=limit),
            on_progress=told,
        )


def _before(here: "Installation") -> "Tuned":
    from gridcast.models.tensorflow.native_log import native_log_muted

    with native_log_muted():
        from gridcast.workflows.training.tune_model import tuned_before

    return tuned_before(
        here.processed(), recipe=here.settings.model.recipe, until=here.unseen_from(), directory=here.workspace.tuning
    )


def _remark(at: "TuningProgress", *, trials: int) -> str:
    training = at.training
    return (
        f"trial {at.trial + 1} of {trials}, epoch {training.epoch}/{training.epochs}, held-out loss "
        f"{training.held_out_loss:.4f}; best {at.best:.4f}"
    )


def _shown(tuned: "Tuned") -> list[dict[str, Any]]:
    return [
        {name.rpartition(".")[2]: f"{value:g}" if name in tuned.present else value for name, value in row.items()}
        for row in tuned.trials.head(SHOWN).to_dicts()
    ]


def _space(here: "Installation") -> list[dict[str, Any]]:
    from gridcast.workflows.training.search_space import space_around, values_of

    recipe = here.settings.model.recipe
    present = values_of(recipe)
    return [
        {"setting": name, "from": f"{each.low:g}", "to": f"{each.high:g}", "now": f"{present[name]:g}"}
        for name, each in space_around(recipe).items()
    ]


def _said(tuned: "Tuned", *, here: "Installation", trials: int, dry_run: bool) -> str:
    there = f"study {tuned.study}: {tuned.trials.height} trials ended"
    if dry_run:
        return f"{there}; a run would go on to {trials} in {here.workspace.tuning}. Nothing was changed."
    if tuned.best is None:
        return f"{there}, none of them trained to its end. Give it more time: what was begun is tried again first."
    if tuned.improvement is None:
        return f"{there}; the settings in force were not tried to the end yet, so there is nothing to compare with."
    if tuned.improvement <= 0:
        return f"{there}; none is better than the settings in force (held-out loss {tuned.present_loss:.4f})."
    return (
        f"{tuned.yaml}\n{there}; the settings above lower the held-out loss by {tuned.improvement:.1%}, from "
        f"{tuned.present_loss:.4f} to {tuned.loss:.4f}. Put them into config/model_config.yaml (they are in "
        f'{here.workspace.tuning / tuned.study / "tuned.yaml"}), then "gridcast train" and "gridcast backtest": only '
        "days nobody has looked at tell what they are worth."
    )
