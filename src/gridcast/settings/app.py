"""config/app_config.yaml: where things are kept, and what counts as good enough."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, Field, field_validator, model_validator

from gridcast.settings.logs import LoggingSettings, TracingSettings
from gridcast.settings.secret import read_secret
from gridcast.settings.service import ServiceSettings
from gridcast.settings.strict import STRICT
from gridcast.workflows.judging.peak_limits import PeakLimits


class StatusSettings(BaseModel):
    """What `gridcast status` calls late."""

    model_config = STRICT

    max_reading_age: timedelta = timedelta(hours=3)

    @field_validator("max_reading_age")
    @classmethod
    def _age_is_positive(cls, value: timedelta) -> timedelta:
        if value <= timedelta(0):
            raise ValueError("expected a duration above zero such as PT3H")
        return value


class ReportSettings(BaseModel):
    """What the report is called and what it compares the headline with."""

    model_config = STRICT

    title: str = "Demand forecast"
    min_skill_vs_naive: float = Field(default=0.45, lt=1)
    min_skill_vs_linear: float = Field(default=0.0, lt=1)
    coverage_80: tuple[float, float] = (0.76, 0.84)

    @model_validator(mode="after")
    def _band_is_a_band(self) -> "ReportSettings":
        low, high = self.coverage_80
        if not 0 <= low < high <= 1:
            raise ValueError(
                f"coverage_80 is [{low}, {high}]; expected two shares between 0 and 1, the lower one first"
            )
        return self


class PeakSettings(BaseModel):
    """Which daily peaks are too high, and from which probability on `gridcast peaks` and the report raise an alarm."""

    model_config = STRICT

    limits_mw: dict[str, Annotated[float, Field(allow_inf_nan=False)]] = {}
    limit_quantile: float = Field(default=0.95, gt=0, lt=1)
    alarm_threshold: float = Field(default=0.5, gt=0, le=1)

    @property
    def limits(self) -> PeakLimits:
        """The limits of all series."""
        return PeakLimits(self.limits_mw, self.limit_quantile)


class StoreSettings(BaseModel):
    """Where forecasts, scores and events are kept, if not in the SQLite file of the data folder."""

    model_config = STRICT

    url_env: str = Field(default="GRIDCAST_STORE_URL", min_length=1)
    url_file: str | None = None


class AppSettings(BaseModel):
    """The whole file."""

    model_config = STRICT

    data_dir: Path = Path("data")
    status: StatusSettings = StatusSettings()
    report: ReportSettings = ReportSettings()
    peaks: PeakSettings = PeakSettings()
    store: StoreSettings = StoreSettings()
    service: ServiceSettings = ServiceSettings()
    logging: LoggingSettings = LoggingSettings()
    tracing: TracingSettings = TracingSettings()


def store_url(settings: StoreSettings) -> str | None:
    """The URL of the store, from a file or the environment, if it is in either.

    Raises:
        UsageError: the file cannot be read or is empty.
    """
    return read_secret(env=settings.url_env, file=settings.url_file, what="the URL of the store (store.url_file)")
