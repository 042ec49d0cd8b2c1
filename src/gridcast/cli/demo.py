"""`gridcast demo`: the main job on the bundled sample, from readings to report."""

import time
from collections.abc import Callable
from typing import Annotated

import typer

from gridcast.cli import data, evaluation, ingest, live, look, models, training
from gridcast.cli.options import ConfigOption, Format, FormatOption
from gridcast.cli.output import remark, show
from gridcast.domain.errors import GateRefusedError


def demo(
    config: ConfigOption = None,
    last: Annotated[str, typer.Option(help="Replay this much of the newest readings.")] = "P7D",
    output: FormatOption = Format.TABLE,
) -> None:
    """Run everything on the sample: ingest, prepare, train, backtest, promote, replay a week hour by hour, report.

    A second run reuses what is there and says so.

    \b
    Example:
      gridcast demo
    """
    from gridcast.cli.installation import Installation
    from gridcast.workflows.judging.backtest import Backtest

    began = time.monotonic()
    steps: tuple[tuple[str, Callable[[], object]], ...] = (
        ("ingest", lambda: ingest.ingest(config, output=output)),
        ("prepare", lambda: data.prepare(config, output=output)),
        ("train", lambda: training.train(config, output=output)),
        ("backtest", lambda: evaluation.backtest(config, output=output)),
        ("promote", lambda: _promote(config, output=output)),
        ("stream", lambda: live.stream(config, last=last, output=output)),
        ("score", lambda: live.score(config, output=output)),
        ("report", lambda: look.report(config, output=output)),
    )
    for number, (name, step) in enumerate(steps, start=1):
        since = time.monotonic()
        remark(f"\n[{number}/{len(steps)}] gridcast {name}")
        if step() is False:
            remark("stopped.")
            raise typer.Exit(130)
        remark(f"      {time.monotonic() - since:.1f} s")

    here = Installation.open(config)
    champion, weather = here.champion(), here.settings.model.weather.known
    result = Backtest.read(here.workspace.backtest, model_version=champion.version, weather=weather)
    headline = {} if result is None else {**result.headline, "weather": result.weather}
    seconds = time.monotonic() - began
    remark("")
    show(
        {"headline": headline, "report": here.workspace.report, "seconds": seconds},
        rows=[{"headline": name.replace("_", " "), "value": value} for name, value in headline.items()],
        last_line=f"done in {seconds:.0f} s; the report is {here.workspace.report}. Next: gridcast status; "
        "gridcast forecast --series system; gridcast backtest --format json; your own data: docs/user_guide.md.",
        output=output,
    )


def _promote(config: ConfigOption, *, output: Format) -> None:
    """Promote the newest model; if the gate refuses it, go on with the champion there is."""
    from gridcast.cli.installation import Installation

    try:
        models.promote(config=config, output=output)
    except GateRefusedError as refusal:
        if Installation.open(config).registry().champion() is None:
            raise
        remark(str(refusal))
