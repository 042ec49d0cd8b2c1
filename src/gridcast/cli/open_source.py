"""Sources as the settings describe them, each imported only when it is opened."""

import threading
from pathlib import Path
from typing import TYPE_CHECKING

from gridcast.domain.errors import UsageError
from gridcast.settings.secret import read_secret, require_secret
from gridcast.settings.sources import (
    DropFolderSettings,
    EntsoeSettings,
    GreenButtonSettings,
    GridstatusSettings,
    KafkaSettings,
    MqttSettings,
    OpenMeteoSettings,
    SourceSettings,
)

if TYPE_CHECKING:
    from gridcast.ingestion.connectors.entsoe_load import EntsoeLoad
    from gridcast.ingestion.connectors.gridstatus_load import GridstatusLoad
    from gridcast.ingestion.connectors.payload import PayloadFormat
    from gridcast.ingestion.source import Source


def open_source(name: str, settings: SourceSettings, *, stop: threading.Event | None = None) -> "Source":
    """The source that the settings describe: with `stop` it goes on until that is set, if it can; else it ends.

    Raises:
        UsageError: a key or password is missing, or the kind is not one that hands over batches (sample, files), or
            it never ends and there is no `stop`.
    """
    from gridcast.ingestion.source import OfKind

    match settings:
        case GreenButtonSettings():
            source: Source = _green_button(settings)
        case OpenMeteoSettings():
            source = _open_meteo(settings)
        case GridstatusSettings():
            source = _gridstatus(settings)
        case EntsoeSettings():
            source = _entsoe(settings)
        case DropFolderSettings():
            source = _drop_folder(settings, stop=stop)
        case KafkaSettings() if stop is not None:
            source = _kafka(settings, stop=stop)
        case MqttSettings() if stop is not None:
            source = _mqtt(settings, stop=stop)
        case _:
            raise UsageError(f"source {name}: kind {settings.kind} cannot be read in this way; expected another kind.")
    return OfKind(source=source, name=name, kind=settings.kind)


def open_forecasts(name: str, settings: SourceSettings) -> "EntsoeLoad | GridstatusLoad":
    """The source, if whoever it is of publishes forecasts as well.

    Raises:
        UsageError: it does not, or a key is missing.
    """
    match settings:
        case GridstatusSettings():
            return _gridstatus(settings)
        case EntsoeSettings():
            return _entsoe(settings)
        case _:
            raise UsageError(
                f"source {name}: kind {settings.kind} has no forecasts; expected a source of kind entsoe or "
                "gridstatus, or --file with a forecast."
            )


def _green_button(settings: GreenButtonSettings) -> "Source":
    from gridcast.ingestion.connectors.green_button import GreenButton

    return GreenButton(
        path=settings.path, series=settings.series, flow=settings.flow, max_megabytes=settings.max_megabytes
    )


def _open_meteo(settings: OpenMeteoSettings) -> "Source":
    from gridcast.ingestion.connectors.http_client import HttpClient
    from gridcast.ingestion.connectors.open_meteo import OpenMeteo, Station

    return OpenMeteo(
        stations=tuple(
            Station(station_id, place.latitude, place.longitude) for station_id, place in settings.places.items()
        ),
        history_from=settings.history_from,
        history_delay=settings.history_delay,
        days_per_request=settings.days_per_request,
        forecast_days=settings.forecast_days,
        previous_runs=settings.previous_runs,
        quarter_hourly=settings.quarter_hourly,
        history_url=settings.history_url,
        forecast_url=settings.forecast_url,
        previous_runs_url=settings.previous_runs_url,
        api_key=read_secret(env="OPEN_METEO_API_KEY", file=settings.api_key_file, what="key of Open-Meteo"),
        http=HttpClient(settings.http, max_megabytes=settings.max_megabytes),
    )


def _gridstatus(settings: GridstatusSettings) -> "GridstatusLoad":
    from gridcast.ingestion.connectors.gridstatus_load import GridstatusLoad
    from gridcast.ingestion.connectors.http_client import HttpClient

    key = None
    if settings.iso == "pjm":
        key = require_secret(env="PJM_API_KEY", file=settings.api_key_file, what="key of PJM")
    return GridstatusLoad(
        iso=settings.iso,
        columns=settings.columns or {"Load": settings.iso},
        start=settings.start,
        interval=settings.interval,
        api_key=key,
        http=HttpClient(settings.http),
    )


def _entsoe(settings: EntsoeSettings) -> "EntsoeLoad":
    from gridcast.ingestion.connectors.entsoe_load import EntsoeLoad
    from gridcast.ingestion.connectors.http_client import HttpClient

    return EntsoeLoad(
        areas=settings.areas,
        start=settings.start,
        days_per_request=settings.days_per_request,
        api_key=require_secret(env="ENTSOE_API_KEY", file=settings.api_key_file, what="key of ENTSO-E"),
        http=HttpClient(settings.http),
    )


def _drop_folder(settings: DropFolderSettings, *, stop: threading.Event | None) -> "Source":
    from gridcast.ingestion.connectors.drop_folder import DropFolder

    return DropFolder(
        folder=Path(settings.folder),
        file_format=settings.readings_format if settings.holds == "readings" else settings.weather_format,
        is_watched=stop is not None,
        is_polled=settings.is_polled,
        stop=stop or threading.Event(),
    )


def _kafka(settings: KafkaSettings, *, stop: threading.Event) -> "Source":
    from gridcast.ingestion.connectors.kafka_log import KafkaSource, KafkaTopic

    username, password = _login(settings)
    topic = KafkaTopic(
        bootstrap_servers=settings.bootstrap_servers,
        topic=settings.topic,
        payload=_payload(settings),
        start=settings.start,
        on_lost=settings.on_lost,
        security_protocol=settings.security_protocol,
        sasl_mechanism=settings.sasl_mechanism,
        username=username,
        password=password,
        ca_file=settings.ca_file,
        certificate_file=settings.certificate_file,
        key_file=settings.key_file,
        max_outage=settings.max_outage,
    )
    return KafkaSource(topic, stop=stop)


def _mqtt(settings: MqttSettings, *, stop: threading.Event) -> "Source":
    from gridcast.ingestion.connectors.mqtt_log import MqttSource, MqttTopic

    username, password = _login(settings)
    topic = MqttTopic(
        host=settings.host,
        port=settings.port,
        topic=settings.topic,
        client_id=settings.client_id,
        payload=_payload(settings),
        version=settings.version,
        username=username,
        password=password,
        tls=settings.tls,
        ca_file=settings.ca_file,
        session_expiry=settings.session_expiry,
        max_outage=settings.max_outage,
    )
    return MqttSource(topic, stop=stop)


def _login(settings: KafkaSettings | MqttSettings) -> tuple[str | None, str | None]:
    return (
        read_secret(env=settings.username_env, file=settings.username_file, what=f"user of {settings.kind}"),
        read_secret(env=settings.password_env, file=settings.password_file, what=f"password of {settings.kind}"),
    )


def _payload(settings: KafkaSettings | MqttSettings) -> "PayloadFormat":
    from gridcast.ingestion.connectors.message_decoding import AvroSchema
    from gridcast.ingestion.connectors.payload import PayloadFormat

    return PayloadFormat(
        readings_format=settings.readings_format,
        encoding=settings.payload,
        schema=None if settings.schema_file is None else AvroSchema.load(Path(settings.schema_file)),
        time_unit=settings.time_unit,
        max_bytes=settings.max_message_bytes,
    )
