"""`gridcast demo`: the main job on the bundled sample, from readings to report."""

import time
from collections.abc import Callable
from typing import Annotated

import typer

from gridcast.cli import data, live, look, models
from gridcast.cli.options import ConfigOption
from gridcast.cli.output import print_table, remark


def demo(
    config: ConfigOption = None,
    last: Annotated[str, typer.Option(help="Replay this much of the newest readings.")] = "P7D",
) -> None:
    """Run everything on the sample: ingest, prepare, train, backtest, promote, replay a week hour by hour, report.

    A second run reuses what is there and says so.

    Example:
      gridcast demo
    """
    from gridcast.cli.installation import Installation
    from gridcast.workflows.backtest import Backtest

    began = time.monotonic()
    steps: tuple[tuple[str, Callable[[], None]], ...] = (
        ("ingest", lambda: data.ingest(config)),
        ("prepare", lambda: data.prepare(config)),
        ("train", lambda: models.train(config)),
        ("backtest", lambda: models.backtest(config)),
        ("promote", lambda: models.promote(config)),
        ("stream", lambda: live.stream(config, last=last)),
        ("score", lambda: live.score(config)),
        ("report", lambda: look.report(config)),
    )
    for number, (name, step) in enumerate(steps, start=1):
        since = time.monotonic()
        remark(f"\n[{number}/{len(steps)}] gridcast {name}")
        step()
        remark(f"      {time.monotonic() - since:.1f} s")

    here = Installation.open(config)
    result = Backtest.read(here.workspace.backtest)
    if result is not None:
        remark("")
        print_table([{"headline": name, "value": value} for name, value in result.headline.items()])
    typer.echo(
        f"\nDone in {time.monotonic() - began:.0f} s. Look at {here.workspace.report}.\n"
        "Next: gridcast status; gridcast forecast --series system; gridcast backtest --format json; your own data: "
        "docs/user_guide.md."
    )
