"""`gridcast quality`: how complete the readings are, what the rules changed, and where to look first."""

from pathlib import Path
from typing import Annotated

import typer

from gridcast.cli.options import ConfigOption, Format, FormatOption
from gridcast.cli.output import show


def quality(
    config: ConfigOption = None,
    series: Annotated[list[str] | None, typer.Option(help="Only these series; repeat the option.")] = None,
    worst: Annotated[int, typer.Option(min=1, help="How many of the worst series to list.")] = 10,
    audit: Annotated[
        Path | None,
        typer.Option(
            help="Write every changed interval with raw value, rule, author and reason to this .csv or .parquet."
        ),
    ] = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Completeness, flags by rule and series, worst offenders and the energy balance of the cleaned readings.

    \b
    Examples:
      gridcast quality
      gridcast quality --series zone_09 --audit zone_09.csv
      gridcast quality --format json
    """
    from gridcast.cli.installation import Installation
    from gridcast.cli.table_file import require_name, write
    from gridcast.workflows.readings.review_quality import audit_trail, review_quality

    if audit is not None:
        require_name(audit, option="--audit")
    here = Installation.open(config)
    processed = here.processed()
    wanted = [each.series_id for each in processed.hierarchy.select(series or processed.hierarchy.ids)]
    review = review_quality(processed, series_ids=wanted, worst=worst)
    if audit is not None:
        write(audit_trail(processed, series_ids=wanted, edits=here.edits(processed.hierarchy)), audit)
    show(
        {name: frame.to_dicts() for name, frame in review.tables.items()} | {"audit": audit},
        tables={
            "worst series, share of intervals": review.tables["worst"].to_dicts(),
            "what the rules did": review.tables["rules"].to_dicts(),
            "parents, share of their measured series": review.tables["parents"].head(worst).to_dicts(),
            "energy, MWh": review.total_energy.to_dicts(),
        },
        last_line=review.verdict,
        output=output,
    )
