"""The model card of the report: what the artefact says of itself, and what happened to the model since."""

from collections.abc import Mapping

from gridcast.domain.errors import GridcastError
from gridcast.models.tensorflow.artefact import read_manifest
from gridcast.models.tensorflow.model_card import card_facts
from gridcast.registry.catalogue import RegisteredModel
from gridcast.workflows.forecasts.weather_use import WeatherKnown
from gridcast.workflows.judging.backtest import Backtest


def model_card(model: RegisteredModel, *, judged: Backtest | None = None) -> Mapping[str, str]:
    """What an auditor asks of a model, in order."""
    tags = model.tags
    measured = {
        name.removeprefix("backtest_").replace("_", " ").capitalize(): f"{value:.4g}"
        for name, value in sorted(model.metrics.items())
    }
    return {
        "Version": f"{model.version} ({', '.join(model.aliases) or 'no alias'})",
        "Registered": f"{model.created_at:%Y-%m-%d %H:%M} UTC",
        **_own_facts(model),
        **({} if judged is None else {"Judged": _judged(judged)}),
        "Promoted because": tags.get("promoted_because", "not promoted"),
        "Promoted by": tags.get("promoted_by", "–"),
        **measured,
    }


def _own_facts(model: RegisteredModel) -> Mapping[str, str]:
    """Those of model_card.md in the artefact."""
    try:
        return card_facts(read_manifest(model.directory))
    except GridcastError as error:
        return {"Artefact": str(error)}


def _judged(judged: Backtest) -> str:
    if judged.weather is WeatherKnown.OBSERVED:
        return "With observed temperatures: with a weather forecast errors are larger"
    return f"With temperatures as forecast, which {1 - judged.degraded_share:.1%} of the points had"
