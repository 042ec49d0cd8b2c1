"""The commands, in the order of a newcomer's day. Each imports what it needs when it is called."""

from typing import Annotated

import typer

from gridcast import __version__
from gridcast.cli import (
    audit,
    calendar,
    dashboards,
    data,
    demo,
    deploy,
    doctor,
    drift,
    evaluation,
    explain,
    external,
    hierarchy,
    ingest,
    keys,
    listen,
    live,
    look,
    metrics,
    models,
    peaks,
    quality,
    retrain,
    serve,
    simulate,
    sources,
    store,
    training,
    tuning,
)

app = typer.Typer(
    name="gridcast",
    help="Dynamic energy demand prediction for utilities.\n\n"
    "Start with 'gridcast demo', or with your own data: ingest, prepare, train, backtest, model promote, stream.",
    epilog="Settings come from the folder given by --config, else ./config, else built-in defaults. "
    "Exit codes: 0 done, 1 error, 2 unusable command or configuration, 3 refused by a gate.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


_OPEN = {"ignore_unknown_options": True}
"""For commands that pass options on to somebody else."""


@app.callback(invoke_without_command=True)
def version(
    show: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False,
) -> None:
    """Dynamic energy demand prediction for utilities."""
    if show:
        typer.echo(f"gridcast {__version__}")
        raise typer.Exit


for command in (
    demo.demo,
    ingest.ingest,
    listen.listen,
    simulate.simulate,
    sources.sources,
    hierarchy.hierarchy,
    calendar.calendar,
    data.prepare,
    quality.quality,
    training.train,
    tuning.tune,
    evaluation.backtest,
    evaluation.evaluate,
    evaluation.compare,
    retrain.retrain,
    live.stream,
    live.forecast,
    explain.explain,
    peaks.peaks,
    live.score,
    external.external,
    drift.drift,
    look.report,
    look.status,
    doctor.doctor,
    metrics.metrics,
    dashboards.dashboards,
    serve.serve,
):
    app.command(context_settings=_OPEN if command in {data.prepare, live.stream} else None)(command)

for former in (models.promote, models.rollback):
    app.command(hidden=True)(former)
app.add_typer(models.model_app, name="model")
app.add_typer(store.store_app, name="store")
app.add_typer(keys.key_app, name="key")
app.add_typer(audit.audit_app, name="audit")
app.add_typer(deploy.deploy_app, name="deploy")
