"""Good enough? The headline numbers held against their targets, in plain words."""

import math
from dataclasses import dataclass
from typing import Final, Literal

from gridcast.dashboards.report.content import ReportContent
from gridcast.dashboards.report.numbers import count, megawatts, percent

Status = Literal["met", "missed", "info"]
_WORDS: Final = {1: "one", 2: "two", 3: "three"}


@dataclass(frozen=True, slots=True)
class Card:
    """One headline number: what it is, its value, what it is held against, and whether it passed."""

    name: str
    value: str
    note: str
    status: Status


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer in one line, one sentence of grounds, and the cards behind it."""

    status: Status
    answer: str
    grounds: str
    cards: tuple[Card, ...]


def verdict(content: ReportContent) -> Verdict:
    """The judgement of the headline numbers; 'not judged yet' while any of the judged ones is missing."""
    judged = _judged_cards(content)
    cards = (*judged, *_other_cards(content))
    if not judged or any(card.status == "info" for card in judged):
        return Verdict(
            "info",
            "Not judged yet",
            "Some of the scores that decide are missing. Run “gridcast backtest” and write the report again.",
            cards,
        )
    missed = [card for card in judged if card.status == "missed"]
    if missed:
        names = " and ".join(card.name.lower() for card in missed)
        answer = f"Not good enough: {_word(len(missed))} of {_word(len(judged))} targets missed"
        return Verdict("missed", answer, f"Look at: {names}. {_grounds(content)}", cards)
    return Verdict("met", f"Good enough: all {_word(len(judged))} targets met", _grounds(content), cards)


def _judged_cards(content: ReportContent) -> tuple[Card, ...]:
    targets, scores = content.targets, content.headline
    naive, linear = scores.get("skill_pinball_vs_naive"), scores.get("skill_pinball_vs_linear")
    covered = scores.get("coverage_80")
    low, high = targets.coverage_80
    return (
        Card(
            "Loss saved against last week repeated",
            percent(naive),
            f"target: at least {percent(targets.skill_vs_naive, digits=0)}",
            _status(naive, passes=naive is not None and naive >= targets.skill_vs_naive),
        ),
        Card(
            "Loss saved against a linear regression",
            percent(linear),
            f"target: more than {percent(targets.skill_vs_linear, digits=0)}",
            _status(linear, passes=linear is not None and linear > targets.skill_vs_linear),
        ),
        Card(
            "Actuals inside the 80\N{NO-BREAK SPACE}% band",
            percent(covered),
            f"target: {percent(low, digits=0)} to {percent(high, digits=0)}",
            _status(covered, passes=covered is not None and low <= covered <= high),
        ),
    )


def _other_cards(content: ReportContent) -> tuple[Card, ...]:
    scores = content.headline
    return (
        Card(
            "Actuals inside the 90\N{NO-BREAK SPACE}% band",
            percent(scores.get("coverage_90")),
            "nominal: 90\N{NO-BREAK SPACE}%",
            "info",
        ),
        Card("System error (MAPE)", percent(scores.get("mape_system"), digits=2), "mean of |error| / load", "info"),
        Card("Points judged", count(scores.get("n")), f"{percent(scores.get('missing_share'))} missing", "info"),
    )


def _grounds(content: ReportContent) -> str:
    scores = content.headline
    losses = {name: scores.get(f"pinball_{name}") for name in ("model", "linear", "naive")}
    if any(loss is None for loss in losses.values()):
        return ""
    return (
        f"The model's mean pinball loss is {megawatts(losses['model'])} MW; a linear regression has "
        f"{megawatts(losses['linear'])} MW and repeating last week {megawatts(losses['naive'])} MW."
    )


def _status(value: float | None, *, passes: bool) -> Status:
    if value is None or math.isnan(value):
        return "info"
    return "met" if passes else "missed"


def _word(number: int) -> str:
    return _WORDS.get(number, str(number))
