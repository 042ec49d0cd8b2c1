"""How two models have done side by side in service."""

from datetime import datetime
from typing import NamedTuple

import polars as pl

from gridcast.domain.tables import Layer
from gridcast.store.store import Store

_KEYS = ("series_id", "issue_time", "lead_bucket")


class Live(NamedTuple):
    """Mean pinball losses, MW, of the model in charge and of the one beside it, over the same measured points."""

    points: int
    model_mw: float
    shadow_mw: float

    @property
    def worse_by(self) -> float:
        """Share by which the loss of the model in charge is above that of the one beside it; below zero: better."""
        return self.model_mw / self.shadow_mw - 1 if self.shadow_mw > 0 else 0.0

    @property
    def in_words(self) -> str:
        """Both losses."""
        return f"{self.model_mw:.3f} MW in charge, {self.shadow_mw:.3f} MW beside it, {self.points:,} points"


def compare_live(store: Store, *, model: str, shadow: str, since: datetime) -> Live | None:
    """Both versions' losses in forecasts issued from a time on; None before both have been scored."""
    scores = store.scores(start=since).filter(pl.col("n") > 0)
    sides = [
        scores.filter(layer=layer.value, model_version=version).select(*_KEYS, "n", "pinball_mw")
        for layer, version in ((Layer.MODEL, model), (Layer.SHADOW, shadow))
    ]
    both = sides[0].join(sides[1], on=_KEYS, suffix="_shadow").drop_nulls()
    if both.is_empty():
        return None
    means = [
        float((both[name] * both["n"]).sum()) / float(both["n"].sum()) for name in ("pinball_mw", "pinball_mw_shadow")
    ]
    return Live(int(both["n"].sum()), *means)
