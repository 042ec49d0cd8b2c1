"""`gridcast sources`: where readings and weather can come from, each with an example."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from gridcast.cli.options import ConfigOption, Format, FormatOption
from gridcast.cli.output import show
from gridcast.domain.errors import UsageError

if TYPE_CHECKING:
    from gridcast.settings.source_kinds import SourceKind


def sources(
    kind: Annotated[str | None, typer.Argument(help="Print an example of this kind, with every key explained.")] = None,
    config: ConfigOption = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """List the kinds of source, or print one as it is written in config/pipeline_config.yaml.

    \b
    Examples:
      gridcast sources
      gridcast sources open_meteo
    """
    from gridcast.settings.source_kinds import KINDS

    if kind is not None and kind not in KINDS:
        raise UsageError(f"sources {kind}: not a kind of source; expected one of {', '.join(KINDS)}.")
    if kind is not None:
        example = KINDS[kind].example
        show({"kind": kind, "example": example}, last_line=example.rstrip(), output=output)
        return

    from gridcast.cli.installation import Installation

    configured = Installation.open(config).settings.pipeline.sources
    listed = [
        _facts(each, configured=[name for name, settings in configured.items() if settings.kind == each.name])
        for each in KINDS.values()
    ]
    show(
        {"kinds": listed},
        rows=[_row(each) for each in listed],
        last_line=f"{len(listed)} kinds of source; 'gridcast sources files' prints an example of one.",
        output=output,
    )


def _facts(kind: "SourceKind", *, configured: list[str]) -> dict[str, Any]:
    return {
        "kind": kind.name,
        "brings": kind.brings,
        "read_by": kind.read_by,
        "extra": kind.extra,
        "is_installed": kind.is_installed,
        "configured": configured,
    }


def _row(facts: dict[str, Any]) -> dict[str, str]:
    return {
        "kind": facts["kind"],
        "brings": facts["brings"],
        "read by": facts["read_by"],
        "installed": "yes" if facts["is_installed"] else f"no: pip install 'gridcast[{facts['extra']}]'",
        "configured": ", ".join(facts["configured"]) or "–",
    }
