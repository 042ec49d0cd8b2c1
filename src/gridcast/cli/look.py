"""`gridcast report` and `gridcast status`: what a person looks at."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from gridcast.cli.options import ConfigOption, Format, FormatOption
from gridcast.cli.output import remark, show


def report(
    config: ConfigOption = None,
    to: Annotated[Path | None, typer.Option(help="Write here. [default: report.html in the data folder]")] = None,
    picture: Annotated[
        Path | None, typer.Option(help="Also draw the headline as a picture into this .png file.")
    ] = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Write one self-contained page: forecasts, accuracy, calibration, data quality, model card.

    \b
    Example:
      gridcast report --to /tmp/report.html
    """
    from gridcast.cli.installation import Installation
    from gridcast.cli.peaks import judged_peaks
    from gridcast.dashboards.report.content import Targets
    from gridcast.dashboards.report.gather import gather
    from gridcast.dashboards.report.html import render_report
    from gridcast.dashboards.report.picture import render_picture
    from gridcast.workflows.judging.backtest import Backtest
    from gridcast.workflows.judging.kept_scores import KeptScores

    here = Installation.open(config)
    processed, settings = here.processed(), here.settings.app.report
    model = here.registry().champion()
    weather = here.settings.model.weather.known
    judged = (
        None if model is None else Backtest.read(here.workspace.backtest, model_version=model.version, weather=weather)
    )
    if judged is not None and judged.data_fingerprint != processed.fingerprint:
        remark('the champion was last judged on other data, so the report shows no accuracy; run "gridcast backtest".')
        judged = None
    version = "" if model is None else model.version
    peaks = here.settings.app.peaks
    days = None if judged is None or model is None else judged_peaks(here, judged, model, limits=peaks.limits)
    with here.store() as store:
        content = gather(
            processed,
            store=store,
            backtest=judged,
            model=model,
            title=settings.title,
            targets=Targets(
                skill_vs_naive=settings.min_skill_vs_naive,
                skill_vs_linear=settings.min_skill_vs_linear,
                coverage_80=settings.coverage_80,
            ),
            generated_at=datetime.now(UTC),
            reproduce=[
                f"gridcast {each}" for each in ("ingest", "prepare", "train", "backtest", "promote", "stream", "report")
            ],
            kept=KeptScores.find(here.workspace, processed, version=version, shown=judged),
            peaks=days,
            alarm_threshold=peaks.alarm_threshold,
        )
    path = render_report(content, to or here.workspace.report)
    if picture is not None:
        render_picture(content, picture)
    drawn = f" and {picture}" if picture is not None else ""
    show(
        {"report": path, "picture": picture, "headline": dict(content.headline)},
        last_line=f"wrote {path}{drawn}.",
        output=output,
    )


def status(config: ConfigOption = None, output: FormatOption = Format.TABLE) -> None:
    """Say what is there, how fresh it is and which model is in charge.

    \b
    Example:
      gridcast status --format json
    """
    from gridcast.cli.installation import Installation
    from gridcast.workflows.watching.show_status import NOTHING_YET, show_status

    here = Installation.open(config)
    if not here.workspace.data_dir.exists():
        show({"data_dir": here.workspace.data_dir}, last_line=NOTHING_YET, output=output)
        return
    with here.store() as store:
        found = show_status(
            here.workspace,
            registry=here.registry(),
            store=store,
            max_reading_age=here.settings.app.status.max_reading_age,
        )
    facts: dict[str, Any] = {**found.facts, "late_series": found.late_series}
    show(
        {**facts, "events": found.events.to_dicts()},
        rows=[
            *({"what": name.replace("_", " "), "state": _state(value)} for name, value in facts.items()),
            *({"what": f"event {each['kind']}", "state": each["message"]} for each in found.events.tail(5).to_dicts()),
        ],
        last_line=found.verdict,
        output=output,
    )


def _state(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(value) or "none"
    if value is None:
        return "none"
    return f"{value:%Y-%m-%d %H:%MZ}" if isinstance(value, datetime) else str(value)
