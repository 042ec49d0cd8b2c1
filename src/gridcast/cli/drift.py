"""`gridcast drift`: whether the newest days are still those the champion was made for."""

from datetime import UTC, datetime

from gridcast.cli.options import ConfigOption, DryRunOption, Format, FormatOption
from gridcast.cli.output import show
from gridcast.domain.errors import GridcastError


def drift(config: ConfigOption = None, dry_run: DryRunOption = False, output: FormatOption = Format.TABLE) -> None:
    """Look for drift of loads, temperatures and forecast errors, and tell of it once.

    Limits come from the champion's backtest and the history it learned from. A detector that begins to fire is kept
    as an event of the kind "drift", one that stops as "drift_recovered". Drift is no error: the exit code is 0.

    \b
    Examples:
      gridcast drift
      gridcast drift --dry-run --format json
    """
    from gridcast.cli.installation import Installation
    from gridcast.workflows.judging.judge_model import trained_until
    from gridcast.workflows.judging.yardstick import kept_backtest
    from gridcast.workflows.watching.drift_state import read_drift
    from gridcast.workflows.watching.search_drift import Learned, firing, search_drift, tell_drift

    here = Installation.open(config)
    processed, champion = here.processed(), here.champion()
    kept = kept_backtest(here.workspace.backtest, model_version=champion.version)
    if kept is None:
        raise GridcastError(
            f"model {champion.version} has no backtest in {here.workspace.backtest}; expected one to learn what is "
            f'usual from. Run "gridcast backtest --model {champion.version}".'
        )
    learned = Learned(backtest=kept, trained_until=trained_until(champion))
    before = read_drift(here.workspace.drift)
    with here.store() as store:
        found = search_drift(store, processed, learned=learned, now=datetime.now(UTC), before=before)
        told = [] if dry_run else tell_drift(store, found, before=before)
    if not dry_run:
        found.write(here.workspace.drift)
    table = found.scores
    fire = firing(found)
    show(
        {"model_version": champion.version, "detectors": table.to_dicts(), "firing": len(fire), "events": told},
        rows=table.to_dicts(),
        last_line=f"{table.height} detectors, {', '.join(fire) if fire else 'none'} firing"
        f"{'' if dry_run else f'; {len(told)} events kept'}.",
        output=output,
    )
