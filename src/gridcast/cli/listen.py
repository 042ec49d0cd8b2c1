"""`gridcast listen`: live sources are kept as they arrive."""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from gridcast.cli.options import ConfigOption, Format, FormatOption, duration
from gridcast.cli.output import counted, progress, show
from gridcast.cli.stop import stop_asked
from gridcast.domain.errors import UsageError
from gridcast.monitoring.logs import tell as log

if TYPE_CHECKING:
    from gridcast.cli.installation import Installation
    from gridcast.settings.sources import Sources
    from gridcast.store.store import Store
    from gridcast.workflows.readings.listen import Heard, Live

_LOG: Final = logging.getLogger(__name__)
_TELL_SECONDS = 5.0


def listen(
    config: ConfigOption = None,
    source: Annotated[
        list[str] | None, typer.Option(help="Only this source; repeat the option. [default: all that can last]")
    ] = None,
    until_idle: Annotated[
        str | None, typer.Option(help="Stop once nothing came for so long, such as PT30S. [default: never]")
    ] = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Keep what arrives from Kafka and MQTT in the store, and what is dropped into watched folders in data/raw.

    A listener that was stopped or killed goes on where it ended: nothing is lost and nothing is kept twice. SIGTERM and
    Ctrl-C finish the batch in hand.

    \b
    Examples:
      gridcast listen
      gridcast listen --source scada --until-idle PT30S --format json
    """
    from gridcast.cli.installation import Installation
    from gridcast.workflows.readings.listen import listen as run

    limit = None if until_idle is None else duration(until_idle)
    here = Installation.open(config)
    chosen = _chosen(here.settings.pipeline.sources, source)
    with stop_asked() as stop, here.store() as store, progress("listening", total=None) as tell:
        heard = run(
            [_live(name, here, store=store, stop=stop) for name in chosen],
            stop=stop,
            clock=lambda: datetime.now(UTC),
            until_idle=limit,
            on_heard=_now_and_then(tell),
        )
    facts = [_facts(name, each) for name, each in heard.items()]
    show(
        {"sources": facts},
        rows=[{**each, "dead": counted(each["dead"]) or "–"} for each in facts],
        last_line=f"{_line(heard)} into {here.workspace.data_dir}.",
        output=output,
    )


def _chosen(sources: "Sources", names: list[str] | None) -> list[str]:
    """Sources to listen to: the named ones, or all that can last."""
    from gridcast.settings.source_kinds import KINDS

    lasting = [name for name, each in sources.items() if KINDS[each.kind].can_last]
    unfit = [name for name in names or () if name not in lasting]
    if unfit or not lasting:
        kinds = ", ".join(f"{name} is {each.kind}" for name, each in sources.items())
        wanted = " or ".join(name for name, each in KINDS.items() if each.can_last)
        raise UsageError(
            f"{f'--source {unfit[0]}: ' if unfit else ''}of the sources {kinds}; expected one of kind {wanted} to "
            'listen to. Set it in config/pipeline_config.yaml; "gridcast sources kafka" prints an example.'
        )
    return list(dict.fromkeys(names or lasting))


def _live(name: str, here: "Installation", *, store: "Store", stop: threading.Event) -> "Live":
    from gridcast.cli.open_source import open_source
    from gridcast.settings.source_kinds import KINDS
    from gridcast.workflows.readings.listen import Live, LogKeeper, RawKeeper

    settings = here.settings.pipeline.sources[name]
    opened = open_source(name, settings, stop=stop)
    if KINDS[settings.kind].has_end:
        return Live(name, opened, RawKeeper(here.workspace.raw, name), says_hello=False)
    return Live(name, opened, LogKeeper(store, here.workspace.raw, name))


def _now_and_then(tell: Callable[[float, str], None]) -> Callable[[Mapping[str, "Heard"]], None]:
    told = -_TELL_SECONDS

    def on_heard(heard: Mapping[str, "Heard"]) -> None:
        nonlocal told
        if time.monotonic() - told >= _TELL_SECONDS:
            told = time.monotonic()
            for name, each in heard.items():
                log(_LOG, "heard", fields=_facts(name, each))
            tell(sum(each.rows for each in heard.values()), _line(heard))

    return on_heard


def _line(heard: Mapping[str, "Heard"]) -> str:
    landed, repeated = (sum(getattr(each, kind) for each in heard.values()) for kind in ("landed", "repeated"))
    dead = sum(sum(each.dead.values()) for each in heard.values())
    return f"{landed:,} rows landed, {repeated:,} repeated, {dead:,} dead from {', '.join(heard)}"


def _facts(name: str, heard: "Heard") -> dict[str, Any]:
    return {"source": name, "landed": heard.landed, "repeated": heard.repeated, "dead": dict(heard.dead)}
