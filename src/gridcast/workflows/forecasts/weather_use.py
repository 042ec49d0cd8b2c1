"""What a model is told of the weather: mixed from which stations, and known when."""

import enum
from dataclasses import dataclass


class WeatherKnown(enum.StrEnum):
    """Which temperatures stand for the future when models learn and are judged; the two are never mixed."""

    OBSERVED = "observed"
    """Those observed later (ex-post)."""
    AS_ISSUED = "as_issued"
    """Those that were known when the forecast was issued (ex-ante)."""

    @property
    def in_words(self) -> str:
        """For a sentence that says how something was measured."""
        return _IN_WORDS[self]


_IN_WORDS = {
    WeatherKnown.OBSERVED: "observed temperatures (ex-post)",
    WeatherKnown.AS_ISSUED: "the temperatures known at each issue time (ex-ante)",
}


class MixChoice(enum.StrEnum):
    """How stations become the temperature of a series."""

    LEARNED = "learned"
    """By weights of its own, chosen by held-out fit on the training history."""
    MEAN = "mean"
    """By the plain mean."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WeatherUse:
    """How stations are mixed, and which temperatures stand for the future in training and judging."""

    station_mix: MixChoice = MixChoice.LEARNED
    known: WeatherKnown = WeatherKnown.OBSERVED
