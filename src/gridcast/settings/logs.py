"""`logging` and `tracing` of config/app_config.yaml."""

from pydantic import BaseModel, Field, field_validator

from gridcast.monitoring.logs import Form, Level
from gridcast.settings.strict import STRICT


class LoggingSettings(BaseModel):
    """What is told on standard error beside the results of commands, and how."""

    model_config = STRICT

    format: Form = Form.TEXT
    level: Level = Level.WARNING


class TracingSettings(BaseModel):
    """Where spans are sent; nowhere without an endpoint."""

    model_config = STRICT

    endpoint: str | None = None
    sampled_share: float = Field(default=1.0, gt=0, le=1)

    @field_validator("endpoint")
    @classmethod
    def _endpoint_is_an_address(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("http://", "https://")):
            raise ValueError(
                f"endpoint is {value!r}; expected the OTLP/HTTP address of a collector, such as "
                "http://127.0.0.1:4318/v1/traces"
            )
        return value
