"""`gridcast train`, `backtest` and `promote`: from clean history to a model in charge."""

import getpass
from typing import Annotated

import typer

from gridcast.cli.options import ConfigOption, DryRunOption, Format, FormatOption
from gridcast.cli.output import progress, remark, show

ModelOption = Annotated[
    str | None,
    typer.Option(
        "--model", help="Version number or alias. [default: the challenger, or the champion if there is none]"
    ),
]


def train(
    config: ConfigOption = None,
    again: Annotated[bool, typer.Option("--again", help="Train even if an equal model is registered.")] = False,
    output: FormatOption = Format.TABLE,
) -> None:
    """Train the quantile network on data/processed and register it as the challenger.

    The newest days are kept unseen, so that a backtest can judge the model. A model that was trained on the same data
    with the same settings is reused.

    \b
    Example:
      GRIDCAST_MODEL__TRAINING__SEED=7 gridcast train
    """
    from gridcast.cli.installation import Installation

    here = Installation.open(config)
    processed, settings = here.processed(), here.settings.model

    from gridcast.models.tensorflow.native_log import native_log_muted
    from gridcast.workflows.backtest import judging_origins

    with native_log_muted():
        from gridcast.workflows.train_model import train_model

    with progress("training", total=1.0) as tell:
        model, reused = train_model(
            processed,
            here.registry(),
            scratch=here.workspace.data_dir / ".export.partial",
            size=settings.network,
            training=settings.training,
            horizon=settings.horizon,
            unseen_from=judging_origins(
                processed,
                horizon=settings.horizon,
                days=settings.backtest.days,
                local_hour=settings.backtest.local_hour,
            )[0],
            on_progress=lambda at: tell(at.done, f"epoch {at.epoch}/{at.epochs}, held-out loss {at.held_out_loss:.4f}"),
            again=again,
            weather=settings.weather,
        )
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


def backtest(
    config: ConfigOption = None,
    model: ModelOption = None,
    days: Annotated[int | None, typer.Option(help="Judge on this many newest days. [default: backtest.days]")] = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Judge a model on daily origins over the last weeks, against the weekly naive and a linear regression.

    Temperatures are the observed ones (ex-post), or those forecast at each origin (ex-ante) if weather.known is
    as_issued.

    \b
    Examples:
      gridcast backtest --format json
      gridcast backtest --model 3 --days 28
    """
    from gridcast.cli.installation import Installation
    from gridcast.evaluation.scorecard import scorecard
    from gridcast.workflows.weather_use import WeatherKnown

    here = Installation.open(config)
    registry = here.registry()
    chosen = registry.get(model) if model else registry.candidate()
    remark(f"judging model {chosen.version} …")
    result, reused = here.judge(days=days).judge(chosen)
    if not reused:
        kind = "" if result.weather is WeatherKnown.OBSERVED else f"{result.weather}_"
        known = {name: value for name, value in result.headline.items() if value is not None}
        figures = {f"backtest_{kind}{name}": float(value) for name, value in known.items()}
        registry.add_metrics(chosen.version, figures)
    by_lead = scorecard(result.points, by=["lead_bucket"])
    shown = ("lead_bucket", "forecaster", "n", "pinball_mw", "mae_mw", "wape", "coverage_80", "skill_pinball_vs_naive")
    head = result.headline
    show(
        {
            **head,
            "model_version": chosen.version,
            "reused": reused,
            "origins": len(result.origins),
            "weather": result.weather,
            "degraded_share": result.degraded_share,
            "by_lead": by_lead.to_dicts(),
        },
        rows=by_lead.select(shown).rename({"skill_pinball_vs_naive": "skill_vs_naive"}).to_dicts(),
        last_line=f"model {chosen.version} over {len(result.origins)} daily origins, {head['n']:,} points"
        f"{', as judged before' if reused else ''}: mean pinball {_figure(head['pinball_model'], '.3f')} MW, "
        f"{_figure(head['skill_pinball_vs_naive'])} below the weekly naive and "
        f"{_figure(head['skill_pinball_vs_linear'])} below the linear baseline; the 80 % band covers "
        f"{_figure(head['coverage_80'])}; system MAPE {_figure(head['mape_system'], '.2%')}; with "
        f"{result.weather.in_words}{_degraded(result.degraded_share)}.",
        output=output,
    )


def promote(
    config: ConfigOption = None,
    model: ModelOption = None,
    actor: Annotated[str | None, typer.Option(help="Who decides. [default: the user logged in]")] = None,
    dry_run: DryRunOption = False,
    output: FormatOption = Format.TABLE,
) -> None:
    """Put a model in charge, if it beats the weekly naive and the champion on weeks neither has seen.

    Exit code 3 and the reason if it does not; the champion stays.

    \b
    Example:
      gridcast promote --model 2 --dry-run
    """
    from gridcast.cli.installation import Installation
    from gridcast.workflows.promote_model import promote_model

    here = Installation.open(config)
    with here.store() as store:
        registry = here.registry()
        done = promote_model(
            registry,
            store,
            candidate=registry.get(model) if model else registry.candidate(),
            gate=here.settings.model.gate,
            compare=here.judge().compare,
            actor=actor or _user(),
            dry_run=dry_run,
        )
    verb = "would be promoted" if dry_run else "is champion" if done.changed else "stays champion"
    show(
        {"version": done.version, "previous": done.previous, "reason": done.reason, "changed": done.changed},
        last_line=f"model {done.version} {verb}: {done.reason}.",
        output=output,
    )


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


def _figure(value: float | None, form: str = ".1%") -> str:
    return "–" if value is None else format(value, form)


def _degraded(share: float) -> str:
    return f", {share:.1%} of the points without" if share else ""
