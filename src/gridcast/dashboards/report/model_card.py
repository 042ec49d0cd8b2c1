"""The model card: what an auditor asks of a model."""

from collections.abc import Mapping, Sequence

from gridcast.domain.errors import GridcastError
from gridcast.models.tensorflow.artefact import read_manifest, station_mix_of
from gridcast.registry.mlflow_registry import RegisteredModel
from gridcast.workflows.backtest import Backtest
from gridcast.workflows.weather_use import WeatherKnown

FEW = 6
"""Series that are named where many are alike."""


def model_card(model: RegisteredModel, *, judged: Backtest | None = None) -> Mapping[str, str]:
    """What an auditor asks of a model, in order."""
    tags, params = model.tags, model.params
    facts = {
        "Version": f"{model.version} ({', '.join(model.aliases) or 'no alias'})",
        "Registered": f"{model.created_at:%Y-%m-%d %H:%M} UTC",
        "Intended use": "Load of the series it was trained on, as quantiles, for operating and buying decisions up to "
        f"{params.get('horizon', '?')} ahead. Not for billing, and not for series it has never seen.",
        "Training data": f"{tags.get('trained_from', '?')[:16]} to {tags.get('trained_until', '?')[:16]} UTC, "
        f"{params.get('series', '?')} series",
        "Weather learned from": _learned_from(params),
        "Weather stations": _stations(model),
        "Data fingerprint": tags.get("data_fingerprint", "?"),
        "Code revision": tags.get("git_revision", "?"),
        "Seed": params.get("training.seed", "?"),
        "Promoted because": tags.get("promoted_because", "not promoted"),
        "Promoted by": tags.get("promoted_by", "–"),
        "Known limits": f"{_weather_limit(judged)}Loads beyond anything in the training data are extrapolated.",
    }
    measured = {
        name.removeprefix("backtest_").replace("_", " ").capitalize(): f"{value:.4g}"
        for name, value in sorted(model.metrics.items())
    }
    return {**facts, **measured}


def _learned_from(params: Mapping[str, str]) -> str:
    known = params.get("weather.known")
    return "?" if known is None else WeatherKnown(known).in_words.capitalize()


def _weather_limit(judged: Backtest | None) -> str:
    if judged is None:
        return ""
    if judged.weather is WeatherKnown.OBSERVED:
        return "Judged with observed temperatures: with a weather forecast errors are larger. "
    return f"Judged with temperatures as forecast, which {1 - judged.degraded_share:.1%} of the points had. "


def _stations(model: RegisteredModel) -> str:
    """Which stations each series is told the temperature of, and how much each counts; equal shares in a word."""
    try:
        mix = station_mix_of(read_manifest(model.directory))
    except GridcastError as error:
        return str(error)
    if mix is None:
        return "The plain mean of those that report"
    by_mix: dict[int, list[str]] = {}
    for series_id, row in mix.of_series.items():
        by_mix.setdefault(row, []).append(series_id)
    own = [f"{_few(series)}: {_shares(mix.mixes[row])}" for row, series in sorted(by_mix.items())]
    others = "every series" if not own else "all other series"
    return "; ".join([*own, f"{others}: the plain mean of {len(mix.mixes[0])}"])


def _shares(weights: Mapping[str, float]) -> str:
    """The stations that count more than the pull towards the plain mean gives each."""
    least = min(weights.values())
    larger = sorted(((weight, name) for name, weight in weights.items() if weight > least + 1e-6), reverse=True)
    return ", ".join(f"{name} {weight:.0%}" for weight, name in larger)


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:FEW]) + (f" and {len(names) - FEW} more" if len(names) > FEW else "")
