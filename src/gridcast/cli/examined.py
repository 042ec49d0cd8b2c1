"""What `gridcast doctor` looks at, taken from the settings as far as they can be read."""

from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gridcast.workflows.watching.doctor import Check, Finding, failure, ok, warning

if TYPE_CHECKING:
    from pydantic import BaseModel

    from gridcast.settings.app import AppSettings
    from gridcast.settings.pipeline import PipelineSettings
    from gridcast.workflows.readings.workspace import Workspace
    from gridcast.workflows.watching.doctor_network import Address


class Examined:
    """An installation of which any part may be broken: what rests on settings that cannot be used is not checked."""

    def __init__(self, config: Path | None, backups: Path | None) -> None:
        default = Path("config")
        self._config = config if config is not None or not default.is_dir() else default
        self._backups = backups
        self._settings: dict[str, Any] = {}

    def checks(self) -> Mapping[str, Check]:
        """Every check by its name, in the order they are told in. Settings come first: others rest on them."""
        return {
            "python": self._python,
            "packages": self._packages,
            "settings": self._read_settings,
            "extras": self._extras,
            "processor": self._processor,
            "time zones": self._time_zones,
            "data folder": self._of_data(lambda here: _data().data_folder(here.data_dir)),
            "clock": self._of_data(lambda here: _data().clock(here, now=datetime.now(UTC))),
            "readings": self._of_data(lambda here: _data().history(here)),
            "sources": self._sources,
            "store": self._store,
            "models": self._of_data(lambda here: _data().registry(here)),
            "registry": self._of_data(lambda here: _data().registry_database(here)),
            "backups": lambda: _data().backups(self._backups, now=datetime.now(UTC)),
            "secrets": self._secrets,
            "service": self._service,
            "brokers": self._brokers,
            "traces": self._traces,
        }

    def _python(self) -> Iterator[Finding]:
        from gridcast.workflows.watching.doctor_environment import python_version

        yield from python_version()

    def _packages(self) -> Iterator[Finding]:
        import gridcast
        from gridcast.workflows.watching.doctor_environment import locked_versions, packages

        yield from packages()
        yield from locked_versions(Path(gridcast.__file__).parents[2] / "uv.lock")

    def _read_settings(self) -> Iterator[Finding]:
        from gridcast.domain.errors import UsageError
        from gridcast.settings.app import AppSettings
        from gridcast.settings.model import ModelSettings
        from gridcast.settings.pipeline import PipelineSettings
        from gridcast.settings.yaml_source import read_settings

        if self._config is not None and not self._config.is_dir():
            yield failure(f"{self._config}: not a folder", advice="name one with the three files, or none.")
            return
        models: dict[str, type[BaseModel]] = {"app": AppSettings, "model": ModelSettings, "pipeline": PipelineSettings}
        for name, model in models.items():
            path = None if self._config is None else self._config / f"{name}_config.yaml"
            path = path if path is not None and path.exists() else None
            try:
                self._settings[name] = read_settings(model, path, env_prefix=f"GRIDCAST_{name.upper()}")
            except UsageError as error:
                yield failure(str(error), advice=f"mend {path or 'the environment variable'}.")
            else:
                yield ok(str(path) if path else f"{name}: built-in defaults")

    def _extras(self) -> Iterator[Finding]:
        from gridcast.workflows.watching.doctor_environment import extras

        yield from extras({extra: what for what, extra in self._needed_extras()})

    def _needed_extras(self) -> Iterator[tuple[str, str]]:
        from gridcast.settings.source_kinds import KINDS

        for name, source in self._pipeline().sources.items() if "pipeline" in self._settings else ():
            extra = KINDS[source.kind].extra
            if extra is not None:
                yield f"source {name}", extra
        if "app" in self._settings and isinstance(self._store_place(), str):
            yield "the store", "postgres"
        if "app" in self._settings and self._app().tracing.endpoint is not None:
            yield "tracing", "telemetry"

    def _processor(self) -> Iterator[Finding]:
        from gridcast.workflows.watching.doctor_environment import processor

        yield from processor()

    def _time_zones(self) -> Iterator[Finding]:
        from gridcast.settings.sources import time_zones_of
        from gridcast.workflows.readings.processed import Processed
        from gridcast.workflows.watching.doctor_environment import time_zones

        names = set(time_zones_of(self._pipeline().sources).values()) if "pipeline" in self._settings else set()
        processed = Processed.find(self._workspace().processed) if "app" in self._settings else None
        names |= {each.time_zone for each in processed.hierarchy.series} if processed else set()
        yield from time_zones(names)

    def _sources(self) -> Iterator[Finding]:
        if "pipeline" not in self._settings:
            yield _not_checked("pipeline")
            return
        pipeline = self._pipeline()
        named = {
            "hierarchy.file": pipeline.hierarchy.file,
            "calendar.events": pipeline.calendar.events,
            "quality.edits": pipeline.quality.edits,
        }
        for name, source in pipeline.sources.items():
            named |= {
                f"sources.{name}.{key}": getattr(source, key, None)
                for key in ("readings", "weather", "holidays", "folder", "path")
            }
        for key, path in named.items():
            if path is not None and not _is_there(Path(path)):
                yield failure(f"{key}: {path} is not there", advice="put it there, or correct pipeline_config.yaml.")
        yield ok(f"{len(pipeline.sources)} configured: {', '.join(pipeline.sources)}")

    def _store(self) -> Iterator[Finding]:
        if "app" not in self._settings:
            yield _not_checked("app")
            return
        yield from _data().store(self._store_place())

    def _secrets(self) -> Iterator[Finding]:
        from gridcast.workflows.watching.doctor_network import secrets

        yield from secrets([Path(each) for each in self._secret_files()])

    def _secret_files(self) -> Iterator[str | Path]:
        if "app" in self._settings:
            app = self._app()
            yield from filter(None, (app.store.url_file, app.service.tls and app.service.tls.key))
        for source in self._pipeline().sources.values() if "pipeline" in self._settings else ():
            for key in ("api_key_file", "key_file", "username_file", "password_file"):
                path = getattr(source, key, None)
                if path is not None:
                    yield path

    def _service(self) -> Iterator[Finding]:
        from gridcast.workflows.watching.doctor_network import Address, service_port

        if "app" not in self._settings:
            yield _not_checked("app")
            return
        service = self._app().service
        yield from service_port(Address(service.host, service.port))

    def _brokers(self) -> Iterator[Finding]:
        from gridcast.workflows.watching.doctor_network import brokers

        if "pipeline" not in self._settings:
            yield _not_checked("pipeline")
            return
        asked = dict(_brokers_of(self._pipeline()))
        for name, addresses in asked.items():
            yield from brokers(name, addresses)
        if not asked:
            yield ok("no source of a kind that has one")

    def _traces(self) -> Iterator[Finding]:
        from gridcast.workflows.watching.doctor_network import collector

        if "app" not in self._settings:
            yield _not_checked("app")
            return
        yield from collector(self._app().tracing.endpoint)

    def _of_data(self, check: "Callable[[Workspace], Iterator[Finding]]") -> Check:
        def run() -> Iterator[Finding]:
            if "app" in self._settings:
                yield from check(self._workspace())
            else:
                yield _not_checked("app")

        return run

    def _workspace(self) -> "Workspace":
        from gridcast.workflows.readings.workspace import Workspace

        return Workspace(self._app().data_dir)

    def _store_place(self) -> Path | str:
        from gridcast.settings.app import store_url

        return store_url(self._app().store) or self._workspace().store

    def _app(self) -> "AppSettings":
        settings: AppSettings = self._settings["app"]
        return settings

    def _pipeline(self) -> "PipelineSettings":
        settings: PipelineSettings = self._settings["pipeline"]
        return settings


def _data() -> Any:
    from gridcast.workflows.watching import doctor_data

    return doctor_data


def _brokers_of(pipeline: "PipelineSettings") -> "Iterator[tuple[str, Collection[Address]]]":
    from gridcast.settings.sources import KafkaSettings, MqttSettings
    from gridcast.workflows.watching.doctor_network import Address

    for name, source in pipeline.sources.items():
        if isinstance(source, MqttSettings):
            yield name, [Address(source.host, source.port)]
        elif isinstance(source, KafkaSettings):
            hosts = [each.strip().rpartition(":") for each in source.bootstrap_servers.split(",")]
            yield name, [Address(host.strip("[]"), int(port)) for host, _, port in hosts if port.isdigit()]


def _is_there(path: Path) -> bool:
    return (
        path.exists()
        or any(path.parent.glob(path.name))
        or any(Path().glob(str(path)) if not path.is_absolute() else ())
    )


def _not_checked(name: str) -> Finding:
    return warning(f"not checked: it rests on {name}_config.yaml", advice="mend the settings first.")
