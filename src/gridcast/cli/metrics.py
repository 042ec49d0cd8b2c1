"""`gridcast metrics`: what Prometheus scrapes of the service, for jobs that end."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from gridcast.cli.options import ConfigOption, Format, FormatOption
from gridcast.cli.output import show
from gridcast.domain.errors import UsageError


def metrics(
    to: Annotated[
        Path, typer.Option("--to", help="Write here: a .prom file in a folder that node_exporter reads.")
    ] = Path("gridcast.prom"),
    config: ConfigOption = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Write every metric into a text file for the textfile collector of node_exporter, whole or not at all.

    \b
    Examples:
      gridcast metrics --to /var/lib/prometheus/node-exporter/gridcast.prom
      gridcast metrics --to gridcast.prom --format json
    """
    from gridcast.cli.installation import Installation
    from gridcast.ingestion.atomic import write_files
    from gridcast.monitoring.exposition import exposition
    from gridcast.registry.catalogue import read_catalogue
    from gridcast.workflows.judging.yardstick import Yardstick
    from gridcast.workflows.readings.processed import Processed
    from gridcast.workflows.watching.watch import Watch

    if to.suffix != ".prom":
        raise UsageError(f"--to {to}: expected a name that ends in .prom; node_exporter reads no others.")
    here = Installation.open(config)
    workspace = here.workspace
    processed, models = Processed.find(workspace.processed), read_catalogue(workspace.registry.resolve())
    with here.store() as store:
        samples = Watch(
            store=store,
            processed=lambda: processed,
            models=lambda: models,
            yardstick=Yardstick(workspace.backtest),
            drift=workspace.drift,
            max_reading_age=here.settings.app.status.max_reading_age,
            clock=lambda: datetime.now(UTC),
        ).samples()
    write_files({to: exposition(samples)}, scratch=to.parent / f".{to.name}.writing")
    names = {each.metric.name for each in samples}
    show(
        {"file": to, "metrics": len(names), "samples": len(samples)},
        last_line=f"wrote {len(samples):,} samples of {len(names)} metrics into {to}.",
        output=output,
    )
