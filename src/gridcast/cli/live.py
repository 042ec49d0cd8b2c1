"""`gridcast stream`, `forecast` and `score`: readings arrive, forecasts go out, and are held to account."""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gridcast.cli.options import ConfigOption, DryRunOption, Format, FormatOption, duration, moment
from gridcast.cli.output import progress, remark, show
from gridcast.cli.stop import stop_asked
from gridcast.domain.errors import UsageError

if TYPE_CHECKING:
    from gridcast.cli.installation import Installation
    from gridcast.workflows.forecasts.known import Known

_LOOK_EVERY = timedelta(milliseconds=100)
_STANDBY = 0.5
"""Seconds between two tries to take over."""


def stream(
    config: ConfigOption = None,
    last: Annotated[str, typer.Option(help="Replay this much of the newest raw readings: P7D, PT12H.")] = "P7D",
    every: Annotated[str, typer.Option(help="How much data arrives before each tick.")] = "PT1H",
    speed: Annotated[
        float | None, typer.Option(min=0.001, help="Times faster than life. [default: as fast as it goes]")
    ] = None,
    standby: Annotated[
        bool,
        typer.Option("--standby", help="Where another stream works, wait until it ends or dies, then take over."),
    ] = False,
    is_live: Annotated[
        bool, typer.Option("--live", help="Then go on: tick whenever 'gridcast listen' has landed readings.")
    ] = False,
    runner: Annotated[
        str | None,
        typer.Option(help="Run on FlinkRunner or PortableRunner, straight from a Kafka source. [default: here]"),
    ] = None,
    source: Annotated[str | None, typer.Option(help="With --runner: the Kafka source, if there are several.")] = None,
    beam_options: Annotated[
        list[str] | None, typer.Argument(help="With --runner: options for Beam, given to it as they are.")
    ] = None,
    output: FormatOption = Format.TABLE,
) -> bool:
    """Replay readings through the real-time path: clean them and issue a new forecast at every tick.

    A replay that was stopped or killed goes on where it ended and comes to the same result. SIGTERM and Ctrl-C finish
    the tick in hand. One stream works on a data folder at a time. A model that is promoted meanwhile takes over
    without a restart, once its artefact and a forecast of it have been checked.

    \b
    Examples:
      gridcast stream --last P7D
      gridcast stream --live
      gridcast stream --live --standby
      gridcast stream --last PT6H --speed 3600
      gridcast stream --runner FlinkRunner --source scada --flink_master flink:8081 --environment_type EXTERNAL
    """
    from gridcast.cli.installation import Installation

    if beam_options and runner is None:
        raise UsageError(
            f"{' '.join(beam_options)}: not an option of stream; expected one of those in 'gridcast stream --help', or "
            "--runner before options for Beam."
        )
    wanted = _Wanted(duration(last), duration(every), speed, standby, is_live)
    here = Installation.open(config)
    if runner is None:
        return _stream_here(here, wanted, output=output)
    from gridcast.cli.cluster import stream_on_runner

    stream_on_runner(here, runner=runner, source=source, beam_options=beam_options or [])
    return True


@dataclass(frozen=True, slots=True)
class _Wanted:
    last: timedelta
    every: timedelta
    speed: float | None
    standby: bool
    is_live: bool


def _stream_here(here: "Installation", wanted: _Wanted, *, output: Format) -> bool:
    import polars as pl

    here.processed(), here.champion()

    from gridcast.domain.tables import CONSUMER, latest
    from gridcast.ingestion.locks import streaming_alone
    from gridcast.ingestion.raw import read_readings
    from gridcast.pipelines.beam.tick import Ticks
    from gridcast.registry.catalogue import CHAMPION, SHADOW, named
    from gridcast.workflows.readings.archive_log import not_archived
    from gridcast.workflows.streaming.arrivals import Patience
    from gridcast.workflows.streaming.on_duty import OnDuty, OnTrial, proof_by_forecast, speakers
    from gridcast.workflows.streaming.replay import follow, pacer, replay
    from gridcast.workflows.streaming.stream_readings import Stream
    from gridcast.workflows.streaming.tick_job import AtHand

    issued: list[datetime] = []
    left: list[int] = []

    def tell_left(rows: int, before: datetime) -> None:
        left.append(rows)
        remark(
            f"{rows:,} readings from before {_time(before)} came too late for the stream; prepare takes them in.",
            level=logging.WARNING,
        )

    def tell_trouble(error: Exception, pause: timedelta) -> None:
        remark(f"{error} Trying again after {pause.total_seconds():.0f} s.", level=logging.WARNING)

    def known() -> "tuple[Known, datetime]":
        return live.known()

    def stand_by() -> bool:
        if stop.wait(_STANDBY):
            remark("stopped while another stream works.")
            raise typer.Exit
        return True

    with (
        stop_asked() as stop,
        streaming_alone(here.workspace.data_dir, wait=stand_by if wanted.standby else None),
        here.store() as store,
        progress("replaying", total=wanted.last / wanted.every) as tell,
    ):
        processed, model, registry = here.processed(), here.champion(), here.workspace.registry.resolve()
        start = processed.observed_until - wanted.last
        settings, rules = here.settings.pipeline.stream, here.rules(processed)
        days = settings.warm_start_days
        prove = proof_by_forecast(known, interval=processed.interval)
        on_duty = OnDuty(model, partial(named, registry, CHAMPION), prove, store)
        on_trial = OnTrial(partial(named, registry, SHADOW), prove, store)
        patience = Patience(settings.deadline, settings.silent_after, settings.tick_rows)
        at_hand = AtHand(store, processed, rules)
        live = Stream(at_hand, partial(speakers, on_duty, on_trial), Ticks(at_hand), days, patience, tell_left)
        begin = (store.position(CONSUMER).issue_time or start) - timedelta(days=days)
        read = read_readings(here.workspace.raw, start=begin)
        end = begin if read.is_empty() else latest(read["valid_time"]) + timedelta(microseconds=1)
        raw = pl.concat([read, not_archived(store, here.workspace.raw, start=begin, end=end)])
        live.warm_start(raw, start=start, days=days)
        pause = pacer(interval=wanted.every, speed=wanted.speed, stop=stop)
        ticks = replay(live, raw, start=start, step=wanted.every, pause=pause)
        for issue_time in chain(
            ticks, follow(live, stop=stop, every=_LOOK_EVERY, tell_trouble=tell_trouble) if wanted.is_live else ()
        ):
            issued.append(issue_time)
            tell((issue_time - start) / wanted.every, f"{issue_time:%Y-%m-%d %H:%MZ}")
        newest, place = store.newest_issue_time(), store.name
        newest_tick = {f"{kind}.{name}": rows for _, kind, name, rows, _ in store.tick_counts(at=newest).iter_rows()}
    show(
        {
            "ticks": len(issued),
            "model_version": on_duty.model.version,
            "newest_issue_time": newest,
            "metrics_of_newest_tick": newest_tick,
            "left_to_prepare": sum(left),
        },
        last_line=f"{'stopped after' if stop.is_set() else 'replayed'} {len(issued)} ticks with model "
        f"{on_duty.model.version} into {place}; newest issued for {_time(newest)}.",
        output=output,
    )
    return not stop.is_set()


def forecast(
    config: ConfigOption = None,
    as_of: Annotated[
        str | None, typer.Option(help="Forecast with what was known then, e.g. 2008-06-29T06:00Z. [default: newest]")
    ] = None,
    series: Annotated[list[str] | None, typer.Option(help="Only these series; repeat the option.")] = None,
    to: Annotated[Path | None, typer.Option(help="Also write the rows to this .csv or .parquet file.")] = None,
    url: Annotated[
        str | None, typer.Option(help="Ask this service instead, with the key in GRIDCAST_API_KEY; issue nothing.")
    ] = None,
    dry_run: DryRunOption = False,
    output: FormatOption = Format.TABLE,
) -> None:
    """Issue one forecast with the champion and keep it in the store.

    \b
    Examples:
      gridcast forecast --series system
      gridcast forecast --as-of 2008-06-29T06:00Z --to tonight.csv
      gridcast forecast --url https://gridcast.example.org --series system --format json
    """
    if url is not None:
        from gridcast.cli.remote import show_forecast_of

        show_forecast_of(url, as_of=as_of, series=series or [], to=to, dry_run=dry_run, output=output)
        return
    import polars as pl

    from gridcast.cli.forecast_rows import peaks
    from gridcast.cli.installation import Installation
    from gridcast.cli.table_file import require_name, write
    from gridcast.domain.quantiles import QUANTILE_COLUMNS
    from gridcast.models.tensorflow.serving import Forecaster
    from gridcast.workflows.forecasts.issue_forecast import issue_forecast
    from gridcast.workflows.forecasts.known import known_at
    from gridcast.workflows.forecasts.operators import with_operators
    from gridcast.workflows.forecasts.refresh import refresh_at

    if to is not None:
        require_name(to, option="--to")
    here = Installation.open(config)
    processed = here.processed()
    wanted = [each.series_id for each in processed.hierarchy.select(series or processed.hierarchy.ids)]
    issue_time = processed.observed_until if as_of is None else moment(as_of)
    known = known_at(processed, issue_time, is_newest=as_of is None)
    model = here.champion()
    forecaster = Forecaster.load(model.directory)
    rows = issue_forecast(
        forecaster,
        known,
        issue_time=issue_time,
        model_version=model.version,
        refresh=refresh_at(forecaster, known, issue_time=issue_time),
    ).filter(pl.col("series_id").is_in(wanted))
    if not dry_run:
        with here.store() as store:
            store.save_forecasts(with_operators(store, rows))
        if to is not None:
            write(rows, to)
    shown = rows.select("series_id", "valid_time", *QUANTILE_COLUMNS, "degraded_because")
    degraded = rows.filter(pl.col("degraded_because") != "").height
    show(
        {"issue_time": issue_time, "model_version": model.version, "forecasts": shown.to_dicts()},
        rows=shown.to_dicts() if len(wanted) == 1 else peaks(shown),
        last_line=f"{'would issue' if dry_run else 'issued'} {rows.height:,} rows for {len(wanted)} series at "
        f"{_time(issue_time)} with model {model.version}; {degraded:,} of them degraded.",
        output=output,
    )


def score(
    config: ConfigOption = None,
    last: Annotated[str, typer.Option(help="Of the forecasts issued in this last time.")] = "P28D",
    output: FormatOption = Format.TABLE,
) -> None:
    """Score every stored forecast whose actuals are in, and keep the scores in the store.

    \b
    Example:
      gridcast score --format json
    """
    from gridcast.cli.installation import Installation
    from gridcast.evaluation.scorecard import scorecard
    from gridcast.workflows.forecasts.score_forecasts import score_forecasts

    here = Installation.open(config)
    with here.store() as store:
        points, place = score_forecasts(store, here.processed(), last=duration(last)), store.name
    by_lead = scorecard(points, by=["lead_bucket"]) if points.height else points
    shown = ("lead_bucket", "forecaster", "n", "pinball_mw", "mae_mw", "coverage_80", "skill_pinball_vs_naive")
    issues = points["issue_time"].n_unique() if points.height else 0
    show(
        {"issues": issues, "by_lead": by_lead.to_dicts()},
        rows=by_lead.select(shown).to_dicts() if points.height else (),
        last_line=f"scored {issues} issued forecasts in {place}.",
        output=output,
    )


def _time(moment: datetime | None) -> str:
    return "never" if moment is None else f"{moment:%Y-%m-%d %H:%MZ}"
