"""`gridcast dashboards`: the Grafana boards, as files that Grafana is provisioned from."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from gridcast.cli.options import Format, FormatOption
from gridcast.cli.output import show
from gridcast.domain.errors import GridcastError, UsageError


def dashboards(
    to: Annotated[Path, typer.Option("--to", help="Folder of boards and provisioning files.")] = Path("dashboards"),
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; end with code 1 where a file there is another one.")
    ] = False,
    output: FormatOption = Format.TABLE,
) -> None:
    """Write the Grafana boards, and what tells Grafana where to find data and boards.

    \b
    Examples:
      gridcast dashboards --to dashboards
      gridcast dashboards --check
    """
    from gridcast.ingestion.atomic import write_files

    contents = {to / path: content for path, content in _files().items()}
    other = [path for path, content in contents.items() if not path.is_file() or path.read_bytes() != content]
    if check and other:
        raise GridcastError(
            f"{len(other)} of {len(contents)} files differ, such as {other[0]}; expected those of this version. "
            f'Run "gridcast dashboards --to {to}".'
        )
    if other:
        write_files({path: contents[path] for path in other}, scratch=to / ".writing")
    done = f"wrote {len(other)}" if other else "changed none"
    show(
        {"files": sorted(contents), "written": other},
        last_line=f"{done} of {len(contents)} files in {to}.",
        output=output,
    )


def _files() -> Mapping[Path, bytes]:
    try:
        from gridcast.dashboards.grafana.files import files
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("grafana_foundation_sdk"):
            raise
        raise UsageError(f'{error}; expected gridcast installed with its extra "grafana".') from error
    return {Path(path): content for path, content in files().items()}
