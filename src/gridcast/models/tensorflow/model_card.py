"""The model card: what an auditor asks of a model, from its manifest alone; the report adds what came later."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from gridcast.features.station_mix import StationMix
from gridcast.models.tensorflow.artefact import Manifest, station_mix_of
from gridcast.models.tensorflow.blinds import KINDS

MODEL_CARD = "model_card.md"
WEATHER_KNOWN = "weather_known"
"""Key of the metadata under which stands, in words, which temperatures a model learned from."""
DATA_LICENCE = "data_licence"
"""Key of the metadata under which stands the licence of the data, where it is known."""

FEW = 6
"""Series that are named where many are alike."""
_UNKNOWN = "?"
_SCORES: Mapping[str, str] = {
    "lead_bucket": "lead",
    "n": "points",
    "pinball_mw": "pinball, MW",
    "wape": "WAPE",
    "coverage_80_raw": "in 80 % band, raw",
    "coverage_80": "calibrated",
    "coverage_90_raw": "in 90 % band, raw",
    "coverage_90": "calibrated",
}


def card_facts(manifest: Manifest) -> dict[str, str]:
    """What a manifest says of its model, in words and in the order people read it.

    Raises:
        GridcastError: what it says of weather stations is no station mix.
    """
    told, training = manifest.metadata, manifest.spec.get("training", {})
    horizon = _span(manifest.leads * manifest.interval)
    licence = {"Data licence": str(told[DATA_LICENCE])} if told.get(DATA_LICENCE) else {}
    return {
        "Model": f"Global quantile network, the mean of {training.get('members', _UNKNOWN)} members trained from other "
        f"random beginnings, by gridcast {manifest.gridcast}",
        "Forecast": f"{manifest.leads} intervals of {_span(manifest.interval)}, quantiles "
        f"{', '.join(f'{each:g}' for each in manifest.quantiles)}, MW",
        "Intended use": "Load of the series it was trained on, as quantiles, for operating and buying decisions up to "
        f"{horizon} ahead. A new series is forecast like known ones, wider, until the next training.",
        "Out of scope": "Billing and settlement; other intervals, longer horizons, and the effect of measures: it "
        "tells what load goes with, not what causes it.",
        "Series": f"{len(manifest.series_ids)}: {_few(manifest.series_ids)}",
        "Training data": f"{_minute(manifest.trained_from)} to {_minute(manifest.trained_until)} UTC",
        "Data fingerprint": str(told.get("data_fingerprint", _UNKNOWN)),
        **licence,
        "Weather learned from": str(told.get(WEATHER_KNOWN, _UNKNOWN)).capitalize(),
        "Weather stations": _stations(station_mix_of(manifest)),
        "Calibration": _calibration(manifest.held_out_scores),
        "Learned to do without": f"{', '.join(each.removeprefix('no ') for each in KINDS)}: one of them was kept from "
        f"{training.get('blind_share', 0):.0%} of the windows it learned from. Forecasts that lack one are wider and "
        "say so in degraded_because",
        "Known limits": "Loads beyond anything in the training data are extrapolated. Weather that was not shown to it "
        "(wind, sun, humidity) and changes of what is connected are not known until they show in the load.",
        "Code revision": str(told.get("git_revision", _UNKNOWN)),
        "Seed": str(manifest.seed),
    }


def model_card(manifest: Manifest) -> str:
    """The text of model_card.md, Markdown: facts, held-out scores, settings."""
    scores = [[_score(name, each[name]) for name in _SCORES] for each in manifest.held_out_scores]
    return "\n".join(
        (
            "# Model card",
            "",
            "For people; `manifest.json` holds the same for programs.",
            "",
            *(f"- **{name}.** {text.removesuffix('.')}." for name, text in card_facts(manifest).items()),
            "",
            "## Held-out scores",
            "",
            "Of windows the model has not learned from, but was stopped and calibrated on; all series together.",
            'What it is worth on days it knows nothing of, "gridcast backtest" measures and the report shows.',
            "",
            *_table(tuple(_SCORES.values()), scores),
            "",
            "## Settings",
            "",
            *_table(("setting", "value"), [[f"`{name}`", str(value)] for name, value in _flat(manifest.spec)]),
            "",
        )
    )


def _flat(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(cells)} |" for cells in (header, ["---"] * len(header), *rows)]


def _score(name: str, value: Any) -> str:
    if isinstance(value, str | int):
        return f"{value:,}" if isinstance(value, int) else value
    return f"{value:.4g}" if name.endswith("_mw") else f"{100 * value:.1f} %"


def _calibration(scores: Sequence[Mapping[str, Any]]) -> str:
    how = "Conformal: gaps between quantiles stretched by lead, part of the day and series"
    if not scores:
        return how
    overall = scores[0]
    return (
        f"{how}, on {overall['n']:,} held-out points, of which the 80 % band held {overall['coverage_80_raw']:.1%} "
        f"before and {overall['coverage_80']:.1%} after"
    )


def _stations(mix: StationMix | None) -> str:
    """Which stations each series is told the temperature of, and how much each counts; equal shares in a word."""
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


def _minute(moment: str) -> str:
    return f"{datetime.fromisoformat(moment):%Y-%m-%d %H:%M}"


def _span(length: timedelta) -> str:
    minutes = length // timedelta(minutes=1)
    return f"{minutes} minutes" if minutes < 120 else f"{minutes / 60:g} hours"
