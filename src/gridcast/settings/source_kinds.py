"""What kinds of source there are."""

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Final, get_args

from pydantic import BaseModel

from gridcast.settings.sources import (
    DropFolderSettings,
    EntsoeSettings,
    FilesSettings,
    GreenButtonSettings,
    GridstatusSettings,
    KafkaSettings,
    MqttSettings,
    OpenMeteoSettings,
    SampleSettings,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceKind:
    """One kind of source.

    `extra`: what to install besides gridcast, None if nothing; `library`: what that brings. `has_end`: it ends once it
    has handed over what is there; `can_last`: it can go on for ever.
    """

    model: type[BaseModel]
    brings: str
    extra: str | None = None
    library: str | None = None
    has_end: bool = True
    can_last: bool = False

    @property
    def name(self) -> str:
        """As written in the settings."""
        return str(get_args(self.model.model_fields["kind"].annotation)[0])

    @property
    def read_by(self) -> str:
        """The commands that read it."""
        return " or ".join(["ingest"] * self.has_end + ["listen"] * self.can_last)

    @property
    def is_installed(self) -> bool:
        """Whether all it needs is there."""
        return self.library is None or importlib.util.find_spec(self.library) is not None

    @property
    def example(self) -> str:
        """Settings with every key of this kind, explained: a part of pipeline_config.yaml."""
        return (resources.files("gridcast.settings") / "source_examples" / f"{self.name}.yaml").read_text("utf-8")


KINDS: Final[Mapping[str, SourceKind]] = {
    kind.name: kind
    for kind in (
        SourceKind(model=SampleSettings, brings="GEFCom2012: 20 zones, 11 weather stations, 2004 to 2008"),
        SourceKind(model=FilesSettings, brings="readings, weather, holidays: CSV and Parquet files, read as a whole"),
        SourceKind(
            model=DropFolderSettings,
            brings="readings or weather: files dropped into a folder, each read once",
            can_last=True,
        ),
        SourceKind(model=GreenButtonSettings, brings="readings: Green Button (ESPI) XML files of meters"),
        SourceKind(model=OpenMeteoSettings, brings="weather: history and forecasts of Open-Meteo"),
        SourceKind(
            model=GridstatusSettings,
            brings="readings: load of North American system operators",
            extra="iso",
            library="gridstatus",
        ),
        SourceKind(
            model=EntsoeSettings, brings="readings: load of European areas (ENTSO-E)", extra="entsoe", library="entsoe"
        ),
        SourceKind(model=KafkaSettings, brings="readings: a Kafka topic", has_end=False, can_last=True),
        SourceKind(model=MqttSettings, brings="readings: an MQTT topic", has_end=False, can_last=True),
    )
}
