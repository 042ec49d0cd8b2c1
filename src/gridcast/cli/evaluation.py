"""`gridcast backtest`, `evaluate` and `compare`: how good models are, where, and how sure that is."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gridcast.cli.options import ConfigOption, DryRunOption, Format, FormatOption, duration, moment
from gridcast.cli.output import progress, remark, show
from gridcast.cli.scores import SHOWN, show_scores
from gridcast.domain.dimensions import Dimension
from gridcast.domain.errors import UsageError
from gridcast.workflows.forecasts.weather_use import WeatherKnown

if TYPE_CHECKING:
    from gridcast.cli.installation import Installation
    from gridcast.registry.catalogue import RegisteredModel
    from gridcast.registry.mlflow_registry import Registry
    from gridcast.workflows.judging.refit import RefitPlan

DaysOption = Annotated[int | None, typer.Option(help="Judge on this many newest days. [default: backtest.days]", min=1)]
ByOption = Annotated[Dimension, typer.Option("--by", help="Show the scores by this.")]
WeatherOption = Annotated[
    WeatherKnown | None,
    typer.Option(
        help="Temperatures that stand for the future: measured later, or as forecast. [default: weather.known]"
    ),
]

ModelOption = Annotated[
    str | None,
    typer.Option(
        "--model", help="Version number or alias. [default: the challenger, or the champion if there is none]"
    ),
]


def backtest(
    config: ConfigOption = None,
    model: ModelOption = None,
    days: DaysOption = None,
    by: ByOption = Dimension.LEAD_BUCKET,
    weather: WeatherOption = None,
    refit: Annotated[
        str | None, typer.Option(help="Judge no registered model but the settings, trained again this often: P28D.")
    ] = None,
    dry_run: DryRunOption = False,
    output: FormatOption = Format.TABLE,
) -> None:
    """Judge a model on daily origins over the last weeks, against the weekly naive and a linear regression.

    With observed weather (ex-post) the temperatures are those measured later, with as_issued (ex-ante) those forecast
    at each origin; the two are kept apart. Every metric by every dimension is kept in scores.parquet beside the points.

    \b
    Examples:
      gridcast backtest --format json
      gridcast backtest --model 3 --days 28 --by hour
      gridcast backtest --refit P28D --dry-run
    """
    from gridcast.cli.installation import Installation

    here = Installation.open(config)
    if refit is not None:
        if model is not None:
            raise UsageError(
                f"--model {model} with --refit {refit}: expected one of them; --refit trains its own models."
            )
        plan = _plan(here, every=duration(refit), days=days, weather=weather)
        _refit(here, plan, by=by, dry_run=dry_run, output=output)
        return
    registry, judge = here.registry(), here.judge(days=days, weather=weather)
    chosen = registry.get(model) if model else registry.candidate()
    if dry_run:
        origins = judge.task_of(chosen).origins
        show(
            {"model_version": chosen.version, "origins": len(origins), "weather": judge.weather},
            last_line=f"model {chosen.version} would be judged on {_span(origins)}, with {judge.weather.in_words}.",
            output=output,
        )
        return
    remark(f"judging model {chosen.version} …")
    result, reused = judge.judge(chosen)
    if not reused:
        kind = "" if result.weather is WeatherKnown.OBSERVED else f"{result.weather}_"
        known = {name: value for name, value in result.headline.items() if value is not None}
        figures = {f"backtest_{kind}{name}": float(value) for name, value in known.items()}
        registry.add_metrics(chosen.version, figures)
    show_scores(result, subject=f"model {chosen.version}", by=by, facts={"reused": reused}, output=output)


def evaluate(
    model: Annotated[str, typer.Argument(help="Version number or alias.", show_default=False)],
    config: ConfigOption = None,
    start: Annotated[
        str | None, typer.Option("--from", help="First issue time. [default: the end of the training data]")
    ] = None,
    end: Annotated[
        str | None, typer.Option("--to", help="The last forecast has ended by then. [default: the newest reading]")
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="Judge on this clean history. [default: processed in the data folder]")
    ] = None,
    by: ByOption = Dimension.LEAD_BUCKET,
    weather: WeatherOption = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Judge one registered model on everything that is newer than its training data, or on the history of others.

    Nothing it was trained on is judged. Points and scores are kept in data/evaluation.

    \b
    Examples:
      gridcast evaluate champion
      gridcast evaluate 3 --from 2008-06-01T00:00Z --weather as_issued --format json
      gridcast evaluate 3 --data other/processed --by level
    """
    from gridcast.cli.installation import Installation
    from gridcast.workflows.judging.evaluate_model import Span, evaluate_model
    from gridcast.workflows.readings.processed import Processed

    span_start, span_end = (None if each is None else moment(each) for each in (start, end))
    here = Installation.open(config)
    settings, own = here.settings.model, here.workspace.processed
    processed = Processed.open(data or own)
    chosen = here.registry().get(model)
    remark(f"judging model {chosen.version} …")
    result = evaluate_model(
        chosen,
        processed,
        span=Span(start=span_start, end=span_end, local_hour=settings.backtest.local_hour),
        weather=weather or settings.weather.known,
    )
    is_own = data is None or data.resolve() == own.resolve()
    kept = result.write(here.workspace.evaluation / ("" if is_own else f"of_{processed.fingerprint[:12]}"))
    facts = {"data": processed.directory, "kept": kept}
    show_scores(result, subject=f"model {chosen.version}", by=by, facts=facts, output=output)


def compare(
    models: Annotated[
        list[str], typer.Argument(help="Versions or aliases, and the baselines naive and linear.", show_default=False)
    ],
    config: ConfigOption = None,
    days: DaysOption = None,
    block: Annotated[str, typer.Option(help="Draw whole days in blocks of this length.")] = "P7D",
    weather: WeatherOption = None,
    to: Annotated[Path | None, typer.Option(help="Also write the pairs to this .csv or .parquet file.")] = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Say of each pair which is better on exactly the same points, by how much, and how sure that is.

    The interval holds 95 % of the differences over days drawn again and again in blocks, the same days for both.

    \b
    Examples:
      gridcast compare champion challenger
      gridcast compare 3 4 naive --days 56 --block P3D --to pairs.csv
    """
    from gridcast.cli.installation import Installation
    from gridcast.cli.table_file import require_name, write
    from gridcast.evaluation.bootstrap import Resampling
    from gridcast.workflows.judging.compare_models import BASELINES, compare_models

    if to is not None:
        require_name(to, option="--to")
    length = duration(block)
    if length % timedelta(days=1):
        raise UsageError(f"--block {block}: expected whole days, such as P7D.")
    here = Installation.open(config)
    chosen = _distinct(here.registry(), [each for each in models if each not in BASELINES])
    remark(f"judging {', '.join(f'model {each.version}' for each in chosen) or 'nobody'} …")
    result = compare_models(
        chosen,
        here.judge(days=days, weather=weather),
        baselines=[each for each in models if each in BASELINES],
        resampling=Resampling(block=length.days),
    )
    kept = result.write(here.workspace.comparisons)
    if to is not None:
        write(result.pairs, to)
    show(
        {
            "pairs": result.pairs.to_dicts(),
            "scores": result.scores.to_dicts(),
            "origins": len(result.origins),
            "weather": result.weather,
            "kept": kept,
        },
        tables={
            "scores over the points all have": result.scores.select(SHOWN).to_dicts(),
            "differences, a − b, with their 95 % interval": result.pairs.to_dicts(),
        },
        last_line=f"{_verdict(result.pairs.row(0, named=True))} Over {_span(result.origins)}, with "
        f"{result.weather.in_words}; kept in {kept}.",
        output=output,
    )


def _distinct(registry: "Registry", names: list[str]) -> "list[RegisteredModel]":
    """Each model once, whatever it was called."""
    return list({each.version: each for each in (registry.get(name) for name in names)}.values())


def _verdict(pair: Mapping[str, Any]) -> str:
    share = pair["difference"] / pair["score_b"]
    is_sure = pair["low"] > 0 or pair["high"] < 0
    word = ("better" if share < 0 else "worse") + ("" if is_sure else ", which may be chance")
    return (
        f"{pair['a']} against {pair['b']}: mean pinball {pair['difference']:+.3f} MW ({share:+.1%}), 95 % interval "
        f"{pair['low']:+.3f} to {pair['high']:+.3f} MW: {word}."
    )


def _plan(here: "Installation", *, every: timedelta, days: int | None, weather: WeatherKnown | None) -> "RefitPlan":
    from gridcast.evaluation.folds import refit_schedule
    from gridcast.models.tensorflow.native_log import native_log_muted
    from gridcast.workflows.judging.backtest import judging_origins

    with native_log_muted():
        from gridcast.workflows.judging.refit import RefitPlan

    processed, settings = here.processed(), here.settings.model
    origins = judging_origins(
        processed,
        horizon=settings.horizon,
        days=days or settings.backtest.days,
        local_hour=settings.backtest.local_hour,
    )
    zone = processed.hierarchy.time_zones[processed.hierarchy.root]
    folds = refit_schedule(origins, every=every, time_zone=zone)
    return RefitPlan(folds, every, settings.recipe.with_weather(weather or settings.weather.known))


def _refit(here: "Installation", plan: "RefitPlan", *, by: Dimension, dry_run: bool, output: Format) -> None:
    from gridcast.workflows.judging.refit import refit_backtest

    folds = [
        {"fold": number, "train_until": fold.train_until, "origins": len(fold.origins), "last": fold.origins[-1]}
        for number, fold in enumerate(plan.folds)
    ]
    cost = f"{len(folds)} trainings{_seconds_each(here.registry())}"
    if dry_run:
        last_line = f"would take {cost}, and judge {_span(plan.task.origins)}, with {plan.task.weather.in_words}."
        show({"folds": folds, "weather": plan.task.weather}, rows=folds, last_line=last_line, output=output)
        return
    remark(f"{cost}; Ctrl-C stops, and nothing is kept then.")
    with progress("training", total=len(folds)) as tell:
        result, reused = refit_backtest(
            here.processed(),
            plan=plan,
            kept=here.workspace.backtest,
            on_progress=lambda fold, at: tell(
                fold + at.done, f"fold {fold + 1}/{len(folds)}, epoch {at.epoch}/{at.epochs}"
            ),
        )
    facts = {"reused": reused, "folds": folds}
    show_scores(result, subject=f"trained again every {plan.every.days} days", by=by, facts=facts, output=output)


def _seconds_each(registry: "Registry") -> str:
    """What the newest model took, as far as one was trained here."""
    versions = registry.versions()
    seconds = versions[-1].metrics.get("train_seconds") if versions else None
    return "" if seconds is None else f" of about {seconds:,.0f} s each, as model {versions[-1].version} took"


def _span(origins: tuple[datetime, ...]) -> str:
    return f"{len(origins)} daily origins from {origins[0]:%Y-%m-%d %H:%MZ} to {origins[-1]:%Y-%m-%d %H:%MZ}"
