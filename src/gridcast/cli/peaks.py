"""`gridcast peaks`: how high the days ahead will peak, when, and how good such forecasts have been."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gridcast.cli.options import ConfigOption, Format, FormatOption
from gridcast.cli.output import remark, show

if TYPE_CHECKING:
    import polars as pl

    from gridcast.cli.installation import Installation
    from gridcast.registry.catalogue import RegisteredModel
    from gridcast.workflows.judging.backtest import Backtest
    from gridcast.workflows.judging.peak_limits import PeakLimits

_SHOWN_SCORES = (
    *("n", "size_mae_mw", "medians_mae_mw", "coverage_80", "hour_hit_rate", "hour_mae_h"),
    *("brier", "brier_skill", "tp", "fp", "fn", "tn", "accuracy", "precision", "recall", "f1"),
)


def peaks(
    config: ConfigOption = None,
    series: Annotated[list[str] | None, typer.Option(help="Only these series; repeat the option.")] = None,
    limit: Annotated[
        float | None, typer.Option(help="Limit of all these series, MW. [default: peaks.limits_mw and limit_quantile]")
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(min=0.0, max=1.0, help="Alarm from this probability on. [default: peaks.alarm_threshold]"),
    ] = None,
    is_judged: Annotated[
        bool, typer.Option("--backtest", help="Score the daily peaks of the champion's backtest instead.")
    ] = False,
    to: Annotated[Path | None, typer.Option(help="Also write the days to this .csv or .parquet file.")] = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Size and hour of each daily peak ahead with their probabilities, from the newest forecast of each series.

    Only local days that a forecast covers from midnight to midnight are shown. With --backtest all scored days are kept
    as peaks.parquet beside the backtest.

    \b
    Examples:
      gridcast peaks --series system --limit 2600
      gridcast peaks --threshold 0.3 --to peaks.csv
      gridcast peaks --backtest --format json
    """
    from gridcast.cli.installation import Installation
    from gridcast.cli.table_file import require_name, write

    if to is not None:
        require_name(to, option="--to")
    here = Installation.open(config)
    hierarchy, settings = here.processed().hierarchy, here.settings.app.peaks
    wanted = [each.series_id for each in hierarchy.select(series or hierarchy.ids)]
    limits = settings.limits if limit is None else settings.limits.replaced(dict.fromkeys(wanted, limit))
    chosen = settings.alarm_threshold if threshold is None else threshold
    days = _judged(here, limits) if is_judged else _ahead(here, limits, wanted)
    days = days.filter(days["series_id"].is_in(wanted))
    if to is not None:
        write(days, to)
    (_show_scores if is_judged else _show_days)(days, threshold=chosen, output=output)


def _ahead(here: "Installation", limits: "PeakLimits", series_ids: Sequence[str]) -> "pl.DataFrame":
    from gridcast.models.tensorflow.serving import Forecaster
    from gridcast.workflows.judging.issued_peaks import issued_peaks

    registry = here.registry()
    with here.store() as store:
        return issued_peaks(
            store,
            here.processed(),
            series_ids=series_ids,
            limits=limits,
            correlation_of=lambda version: Forecaster.load(registry.get(version).directory).lead_correlation,
        )


def _judged(here: "Installation", limits: "PeakLimits") -> "pl.DataFrame":
    from gridcast.domain.errors import GridcastError
    from gridcast.workflows.judging.backtest import Backtest

    processed, model = here.processed(), here.champion()
    backtest = Backtest.read(
        here.workspace.backtest, model_version=model.version, weather=here.settings.model.weather.known
    )
    if backtest is None or backtest.data_fingerprint != processed.fingerprint:
        raise GridcastError(
            f"champion {model.version} was not judged on the clean readings that are here; expected a backtest. "
            'Run "gridcast backtest --model champion" first.'
        )
    remark(f"judging the daily peaks of model {model.version} …")
    return judged_peaks(here, backtest, model, limits=limits)


def judged_peaks(
    here: "Installation", backtest: "Backtest", model: "RegisteredModel", *, limits: "PeakLimits"
) -> "pl.DataFrame":
    """The daily peaks of a model's backtest with what then happened, kept beside it.

    Raises:
        GridcastError: the model is damaged, or the disk is full or cannot be written to.
    """
    from gridcast.models.tensorflow.serving import Forecaster
    from gridcast.workflows.judging.judge_peaks import PeakJudge

    judge = PeakJudge(here.processed(), here.workspace.backtest, limits)
    return judge.judge(backtest, lead_correlation=Forecaster.load(model.directory).lead_correlation)


def _show_days(days: "pl.DataFrame", *, threshold: float, output: Format) -> None:
    import polars as pl

    told = days.with_columns(is_alarm=pl.col("p_exceed") >= threshold)
    alarms, issues = int(told["is_alarm"].sum()), days["issue_time"].unique().sort()
    issued = f"issued {issues[-1]:%Y-%m-%d %H:%MZ}" if len(issues) else "in the store"
    show(
        {"alarm_threshold": threshold, "alarms": alarms, "days": told.to_dicts()},
        rows=[_row(each) for each in told.iter_rows(named=True)],
        last_line=f"{days.height:,} daily peaks of {days['series_id'].n_unique():,} series from forecasts {issued}; "
        f"{alarms:,} with an alarm, a probability of at least {threshold:.0%} to exceed the limit. Local days that a "
        "forecast covers in part are left out.",
        output=output,
    )


def _row(day: Mapping[str, Any]) -> dict[str, object]:
    likely = sorted(((day[f"hour_{hour:02d}"] or 0.0, -hour) for hour in range(24)), reverse=True)[:2]
    return {
        "series_id": day["series_id"],
        "date": f"{day['date']:%a %Y-%m-%d}",
        "p10": day["p10"],
        "p50": day["p50"],
        "p90": day["p90"],
        "likely hours": ", ".join(f"{-hour:02d}:00 {share:.0%}" for share, hour in likely if share),
        "limit_mw": day["limit_mw"],
        "p_exceed": day["p_exceed"],
        "alarm": {True: "yes", False: "no"}.get(day["is_alarm"], "–"),
    }


def _show_scores(days: "pl.DataFrame", *, threshold: float, output: Format) -> None:
    from gridcast.evaluation.peak_scores import peak_scores

    pooled = peak_scores(days, alarm_threshold=threshold)
    tables = {name: peak_scores(days, alarm_threshold=threshold, by=[name]) for name in ("days_ahead", "series_id")}
    head = pooled.row(0, named=True)
    show(
        {
            "alarm_threshold": threshold,
            **head,
            **{f"by_{name}": table.to_dicts() for name, table in tables.items()},
        },
        tables={
            f"by {name.replace('_', ' ')}": table.select(name, *_SHOWN_SCORES).to_dicts()
            for name, table in tables.items()
        },
        last_line=f"{head['n']:,} daily peaks, {_figure(head['missing_share'], '.1%')} of the days not measured whole: "
        f"mean error of the size {_figure(head['size_mae_mw'], '.3f')} MW (of the largest median "
        f"{_figure(head['medians_mae_mw'], '.3f')} MW), hour right in {_figure(head['hour_hit_rate'])}; Brier score "
        f"{_figure(head['brier'], '.4f')} ({_figure(head['brier_skill'])} below that of the usual share); alarms from "
        f"{threshold:.0%} on: precision {_figure(head['precision'])}, recall {_figure(head['recall'])}, "
        f"F1 {_figure(head['f1'], '.3f')}.",
        output=output,
    )


def _figure(value: float | None, form: str = ".0%") -> str:
    return "–" if value is None else format(value, form)
