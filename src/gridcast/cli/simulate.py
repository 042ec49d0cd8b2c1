"""`gridcast simulate`: readings as many meters would send them, to try an installation with."""

import contextlib
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gridcast.cli.options import ConfigOption, DryRunOption, Format, FormatOption, duration, moment
from gridcast.cli.output import counted, progress, show
from gridcast.cli.stop import stop_asked
from gridcast.domain.errors import UsageError

if TYPE_CHECKING:
    from datetime import datetime

    from gridcast.workflows.readings.simulate import Pace, Sent
    from gridcast.workflows.readings.simulated_traffic import Faults, Traffic

_TELL_SECONDS = 1.0


def _share(text: str) -> Any:
    return typer.Option(min=0, max=1, help=f"Share of readings that are {text}")


def simulate(
    config: ConfigOption = None,
    to: Annotated[
        str, typer.Option(help="kafka://host:port/topic, mqtt://host:port/topic, folder:path, log, or - (JSON lines).")
    ] = "-",
    series: Annotated[
        int | None,
        typer.Option(min=1, max=100_000, help="So many made-up series. [default: the measured ones of the history]"),
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option(min=0, max=100_000, help="Readings a second; 0: as fast as it goes. [default: 1000]"),
    ] = None,
    span: Annotated[
        str | None, typer.Option("--for", help="Stop after this time. [default: PT1M, or --rounds]")
    ] = None,
    rounds: Annotated[
        int | None, typer.Option(min=1, help="Stop after so many readings of each series. [default: --for]")
    ] = None,
    start: Annotated[
        str | None, typer.Option(help="First interval. [default: the end of the history; made-up series end now]")
    ] = None,
    reading_interval: Annotated[
        str | None, typer.Option(help="Length of each reading, such as PT6S. [default: the interval]")
    ] = None,
    now: Annotated[bool, typer.Option("--now", help="Readings of the present, as fast as time goes by.")] = False,
    seed: Annotated[int, typer.Option(min=0, help="Another seed, other loads and faults.")] = 0,
    late: Annotated[float, _share("held back.")] = 0.0,
    double: Annotated[float, _share("sent twice.")] = 0.0,
    shuffle: Annotated[float, _share("sent out of order.")] = 0.0,
    spike: Annotated[float, _share("far too high.")] = 0.0,
    gap: Annotated[float, _share("left out.")] = 0.0,
    early: Annotated[float, _share("stamped hours ahead.")] = 0.0,
    corrected: Annotated[float, _share("sent again later with another load.")] = 0.0,
    poison: Annotated[float, _share("followed by a message that cannot be read.")] = 0.0,
    faults: Annotated[float, typer.Option(min=0, max=1, help="Share of all of these together, evenly.")] = 0.0,
    latest: Annotated[str, typer.Option(help="How late readings and corrections are at most.")] = "PT2H",
    per_message: Annotated[int, typer.Option(min=1, max=10_000, help="Readings in a message of Kafka or MQTT.")] = 100,
    allow_remote: Annotated[
        bool, typer.Option("--allow-remote", help="Also send to brokers on other machines.")
    ] = False,
    dry_run: DryRunOption = False,
    output: FormatOption = Format.TABLE,
) -> None:
    """Send made-up readings with the weeks of real zones to a broker, a folder or the store, with faults if you like.

    Readings go out round after round, one of each series, and carry times that go on from the history. Nothing after
    the present is sent: a simulation that gets there ends. SIGTERM and Ctrl-C send what is held back and end it.

    \b
    Examples:
      gridcast simulate --rounds 24 --dry-run
      gridcast simulate --to kafka://localhost:9092/readings --series 1000 --rate 5000 --for PT10M --faults 0.05
      gridcast simulate --to mqtt://localhost:1883/readings --now --reading-interval PT6S --for PT1H
      gridcast simulate --to folder:data/drop --late 0.01 --latest PT6H --gap 0.01
      gridcast simulate --to log --rounds 24 --rate 0
    """
    from gridcast.cli.installation import Installation
    from gridcast.cli.open_target import LOG, STDOUT, Target, opened
    from gridcast.cli.simulation_plan import Wanted, planned
    from gridcast.workflows.readings.simulate import simulate as run
    from gridcast.workflows.readings.simulated_traffic import Faults, Simulation

    target = Target.parse(to, allow_remote=allow_remote)
    each = {"late": late, "double": double, "shuffle": shuffle, "spike": spike, "gap": gap, "early": early}
    shares = _shares({**each, "corrected": corrected, "poison": poison}, total=faults, can_poison=target.kind != LOG)
    going_wrong = Faults(**shares, latest=duration(latest))
    wanted = Wanted(
        rate=rate,
        span=None if span is None else duration(span),
        rounds=rounds,
        start=None if start is None else moment(start),
        reading_interval=None if reading_interval is None else duration(reading_interval),
        is_now=now,
        seed=seed,
    )
    here = Installation.open(config)
    traffic, pace = planned(wanted, here, series=series)
    if dry_run:
        _show_plan(traffic, pace, going_wrong, to=to, output=output)
        return
    simulation = Simulation(traffic, going_wrong)
    with (
        stop_asked() as stop,
        opened(target, here, per_message=per_message, allow_remote=allow_remote, stop=stop) as outlet,
        progress("sending", total=pace.readings) as tell,
    ):
        sent = run(simulation, outlet, pace, stop=stop, on_sent=_now_and_then(tell))
    is_present = pace.ends_at_present and simulation.drawn == pace.readings
    with contextlib.redirect_stdout(sys.stderr) if target.kind == STDOUT else contextlib.nullcontext():
        _show_sent(sent, next_start=traffic.time_of(simulation.drawn), to=to, is_present=is_present, output=output)


def _shares(shares: dict[str, float], *, total: float, can_poison: bool) -> dict[str, float]:
    given = [name for name, share in shares.items() if share]
    if total and given:
        raise UsageError(
            f"--faults {total:g} beside --{given[0]}; expected either. Give the share of each, or of all together."
        )
    if shares["poison"] and not can_poison:
        raise UsageError("--poison with --to log: a store takes no messages; expected a broker, a folder or - with it.")
    applying = [name for name in shares if can_poison or name != "poison"]
    return {name: total / len(applying) if name in applying else 0.0 for name in shares} if total else shares


def _now_and_then(tell: Callable[[float, str], None]) -> "Callable[[Sent], None]":
    told = 0.0

    def on_sent(sent: "Sent") -> None:
        nonlocal told
        if time.monotonic() - told >= _TELL_SECONDS:
            told = time.monotonic()
            tell(sent.readings, f"{sent.readings:,} readings, {sent.rate:,.0f} a second")

    return on_sent


def _show_plan(traffic: "Traffic", pace: "Pace", faults: "Faults", *, to: str, output: Format) -> None:
    first, last = traffic.start, traffic.time_of(pace.readings - 1)
    ids = traffic.fleet.series_ids
    shares = {name: share for name, share in asdict(faults).items() if name != "latest"}
    wrong = ", ".join(f"{name} {share:g}" for name, share in shares.items() if share) or "none"
    show(
        {
            "to": to,
            "series": len(ids),
            "readings": pace.readings,
            "rate": pace.rate,
            "reading_interval_s": traffic.reading_interval.total_seconds(),
            "first_valid_time": first,
            "last_valid_time": last,
            "shares": shares,
        },
        last_line=f"would send up to {pace.readings:,} readings of {len(ids):,} series ({_names(ids)}) to {to}, "
        f"{f'{pace.rate:,.6g} a second' if pace.rate else 'as fast as it goes'}, from {_time(first)} to {_time(last)}; "
        f"faults: {wrong}.",
        output=output,
    )


def _show_sent(sent: "Sent", *, next_start: "datetime", to: str, is_present: bool, output: Format) -> None:
    happened = {name: count for name, count in sent.faults.items() if count}
    show(
        {
            "to": to,
            "sent": sent.readings,
            "poison": sent.poison,
            "rate": sent.rate,
            "faults": happened,
            "first_valid_time": sent.first_valid_time,
            "last_valid_time": sent.last_valid_time,
            "next_start": next_start,
            "seconds": sent.seconds,
        },
        last_line=f"sent {sent.readings:,} readings to {to} in {sent.seconds:.1f} s, {sent.rate:,.0f} a second; "
        f"faults: {counted(happened) or 'none'}. {'The present is reached; later go' if is_present else 'Go'} on with "
        f"--start {next_start:%Y-%m-%dT%H:%M:%SZ}.",
        output=output,
    )


def _names(series_ids: tuple[str, ...]) -> str:
    return ", ".join(series_ids) if len(series_ids) <= 3 else f"{series_ids[0]} to {series_ids[-1]}"


def _time(moment: "datetime") -> str:
    return f"{moment:%Y-%m-%d %H:%M:%SZ}"
