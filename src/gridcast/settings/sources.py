"""`sources` of config/pipeline_config.yaml: one model per kind, told apart by `kind`."""

import re
from datetime import date, timedelta
from typing import Annotated, Final, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, Field, field_validator, model_validator

from gridcast.domain.tables import REPLAY, SIMULATED
from gridcast.ingestion.connectors.http_client import HttpRules
from gridcast.ingestion.sample import TIME_ZONE as SAMPLE_TIME_ZONE
from gridcast.ingestion.tabular.formats import FileFormat, WeatherFormat
from gridcast.settings.strict import STRICT

Payload: TypeAlias = Literal["json", "avro", "arrow"]
TimeUnit: TypeAlias = Literal["s", "ms", "us"]
Text: TypeAlias = Annotated[str, Field(min_length=1)]
_TOPIC_FILTER: Final = re.compile(
    r"(?:\$share/[^+#/\0]+/(?=.)|(?!\$share(?:/|$)))(?:(?:[^+#/\0]*|\+)/)*(?:[^+#/\0]*|[+#])"
)
_LONGEST_TOPIC: Final = 65_535
"""Bytes."""


def _topic_filter(topic: str) -> str:
    if not topic or not _TOPIC_FILTER.fullmatch(topic) or len(topic.encode()) > _LONGEST_TOPIC:
        raise ValueError(
            f"{topic[:100]!r} is no MQTT topic filter; expected levels such as meters/+/load, where + is a whole level "
            "and # only the last one"
        )
    return topic


TopicFilter: TypeAlias = Annotated[str, AfterValidator(_topic_filter)]


class SampleSettings(BaseModel):
    """The readings that come with gridcast; no other source may stand beside them."""

    model_config = STRICT

    kind: Literal["sample"] = "sample"


class FilesSettings(BaseModel):
    """CSV and Parquet files that hold the whole history; each run replaces what the one before read."""

    model_config = STRICT

    kind: Literal["files"]
    readings: str | None = None
    weather: str | None = None
    holidays: str | None = None
    readings_format: FileFormat = FileFormat()
    weather_format: WeatherFormat = WeatherFormat()

    @model_validator(mode="after")
    def _files_are_named(self) -> "FilesSettings":
        if self.readings is None and self.weather is None:
            raise ValueError(
                "kind is files, but neither readings nor weather names any; expected a file, a folder or a pattern"
            )
        return self


class DropFolderSettings(BaseModel):
    """A folder that files are dropped into; each is read once and moved on."""

    model_config = STRICT

    kind: Literal["drop_folder"]
    folder: Text
    holds: Literal["readings", "weather"] = "readings"
    is_polled: bool = False
    readings_format: FileFormat = FileFormat()
    weather_format: WeatherFormat = WeatherFormat()


class GreenButtonSettings(BaseModel):
    """Green Button (ESPI) XML files of meters."""

    model_config = STRICT

    kind: Literal["green_button"]
    path: Text
    series: dict[str, str] = {}
    flow: Literal["net", "forward", "reverse"] = "net"
    max_megabytes: int = Field(default=512, ge=1)


class Place(BaseModel):
    """A point on the map that weather is asked for, decimal degrees."""

    model_config = STRICT

    latitude: float = Field(ge=-90, le=90)
    longitude: float = Field(ge=-180, le=180)


class OpenMeteoSettings(BaseModel):
    """Open-Meteo: weather of the past, and the forecast as it stood whenever it was fetched."""

    model_config = STRICT

    kind: Literal["open_meteo"]
    places: dict[str, Place] = Field(min_length=1)
    history_from: date | None = None
    history_delay: timedelta = timedelta(days=5)
    days_per_request: int = Field(default=366, ge=1, le=3660)
    forecast_days: int = Field(default=7, ge=0, le=16)
    previous_runs: int = Field(default=0, ge=0, le=7)
    quarter_hourly: bool = False
    history_url: Text = "https://archive-api.open-meteo.com/v1/archive"
    forecast_url: Text = "https://api.open-meteo.com/v1/forecast"
    previous_runs_url: Text = "https://previous-runs-api.open-meteo.com/v1/forecast"
    max_megabytes: int = Field(default=64, ge=1)
    api_key_file: str | None = None
    http: HttpRules = HttpRules()

    @model_validator(mode="after")
    def _asks_for_something(self) -> "OpenMeteoSettings":
        if self.history_from is None and self.forecast_days == 0:
            raise ValueError("neither history_from nor forecast_days asks for anything; expected one of them")
        if self.previous_runs and self.history_from is None:
            raise ValueError("previous_runs needs history_from, the first day to fetch them for")
        return self

    @field_validator("history_delay")
    @classmethod
    def _delay_is_a_delay(cls, value: timedelta) -> timedelta:
        if value < timedelta(0):
            raise ValueError("expected P0D or more")
        return value


class GridstatusSettings(BaseModel):
    """Actual load of a North American system operator, by the library gridstatus."""

    model_config = STRICT

    kind: Literal["gridstatus"]
    iso: Literal["caiso", "ercot", "isone", "miso", "nyiso", "pjm", "spp"]
    start: date
    columns: dict[str, str] = {}
    interval: timedelta = Field(default=timedelta(minutes=5), gt=timedelta(0))
    api_key_file: str | None = None
    http: HttpRules = HttpRules()


class EntsoeSettings(BaseModel):
    """Actual total load of European areas from the ENTSO-E Transparency Platform, by the library entsoe-py."""

    model_config = STRICT

    kind: Literal["entsoe"]
    areas: dict[str, str] = Field(min_length=1)
    start: date
    days_per_request: int = Field(default=30, ge=1, le=365)
    api_key_file: str | None = None
    http: HttpRules = HttpRules()


class KafkaSettings(BaseModel):
    """Readings from a Kafka topic."""

    model_config = STRICT

    kind: Literal["kafka"]
    bootstrap_servers: Text
    topic: Text
    payload: Payload = "json"
    schema_file: str | None = None
    time_unit: TimeUnit | None = None
    max_message_bytes: int = Field(default=1_000_000, ge=1)
    readings_format: FileFormat = FileFormat()
    start: Literal["earliest", "latest"] = "earliest"
    on_lost: Literal["stop", "continue"] = "stop"
    max_outage: timedelta = Field(default=timedelta(minutes=5), gt=timedelta(0))
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "PLAIN"
    ca_file: str | None = None
    certificate_file: str | None = None
    key_file: str | None = None
    username_env: str | None = None
    username_file: str | None = None
    password_env: str | None = None
    password_file: str | None = None


class MqttSettings(BaseModel):
    """Readings from an MQTT broker, delivered at least once."""

    model_config = STRICT

    kind: Literal["mqtt"]
    host: Text
    port: int = Field(default=1883, ge=1, le=65535)
    topic: TopicFilter
    qos: Literal[1] = 1
    client_id: Text = "gridcast"
    version: Literal["5", "3.1.1"] = "5"
    session_expiry: timedelta = Field(
        default=timedelta(days=7), ge=timedelta(seconds=1), le=timedelta(seconds=2**32 - 1)
    )
    payload: Payload = "json"
    schema_file: str | None = None
    time_unit: TimeUnit | None = None
    max_message_bytes: int = Field(default=1_000_000, ge=1)
    readings_format: FileFormat = FileFormat()
    max_outage: timedelta = Field(default=timedelta(minutes=5), gt=timedelta(0))
    tls: bool = False
    ca_file: str | None = None
    username_env: str | None = None
    username_file: str | None = None
    password_env: str | None = None
    password_file: str | None = None


def _own_name(name: str) -> str:
    if name in {REPLAY, SIMULATED}:
        raise ValueError(
            f"{name!r} is what readings that gridcast itself puts into the log are called; expected another name for a "
            "source"
        )
    return name


SourceSettings: TypeAlias = Annotated[
    SampleSettings
    | FilesSettings
    | DropFolderSettings
    | GreenButtonSettings
    | OpenMeteoSettings
    | GridstatusSettings
    | EntsoeSettings
    | KafkaSettings
    | MqttSettings,
    Field(discriminator="kind"),
]
SourceName: TypeAlias = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$"), AfterValidator(_own_name)]
Sources: TypeAlias = dict[SourceName, SourceSettings]
DEFAULT_SOURCES: Final[Sources] = {"sample": SampleSettings()}


def time_zones_of(sources: Sources) -> dict[str, str]:
    """Source name → the zone whose clock its times are written in, where one is known."""
    found = {}
    for name, source in sources.items():
        if isinstance(source, SampleSettings):
            found[name] = SAMPLE_TIME_ZONE
        elif isinstance(source, FilesSettings | DropFolderSettings | KafkaSettings | MqttSettings):
            zone = source.readings_format.text.time_zone
            found |= {} if zone is None else {name: zone}
    return found
