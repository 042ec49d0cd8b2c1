"""What `gridcast tune` may change of a recipe, and within which bounds."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import yaml

from gridcast.workflows.training.recipe import Recipe

Values = Mapping[str, float]
"""Settings by their dotted names, such as training.learning_rate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """The values one setting may take.

    Attributes:
        low: the smallest.
        high: the largest.
        is_log: a step is a factor, not a difference.
        multiple: only whole multiples of this; None for any number.
    """

    low: float
    high: float
    is_log: bool = False
    multiple: int | None = None

    def rounded(self, value: float) -> float:
        """The value of the range nearest to `value` that is short to write.

        >>> Range(low=0.0005, high=0.01).rounded(0.00234567), Range(low=16, high=256, multiple=16).rounded(101.0)
        (0.00235, 96)
        """
        if self.multiple is None:
            return min(max(float(f"{value:.3g}"), self.low), self.high)
        nearest = self.multiple * round(value / self.multiple)
        return int(min(max(nearest, self.low), self.high))

    def widened(self, value: float) -> "Range":
        """The same, with room for `value`."""
        return replace(self, low=min(self.low, value), high=max(self.high, value))


SPACE: Mapping[str, Range] = MappingProxyType(
    {
        "network.width": Range(low=32, high=256, is_log=True, multiple=16),
        "network.blocks": Range(low=1, high=3, multiple=1),
        "network.encoder_width": Range(low=16, high=128, is_log=True, multiple=16),
        "network.summary": Range(low=4, high=32, is_log=True, multiple=4),
        "network.horizon": Range(low=2, high=16, is_log=True, multiple=2),
        "network.embedding": Range(low=2, high=16, is_log=True, multiple=2),
        "network.dropout": Range(low=0.0, high=0.4),
        "network.noise": Range(low=0.0, high=0.1),
        "training.epochs": Range(low=3, high=12, multiple=1),
        "training.batch_size": Range(low=32, high=512, is_log=True, multiple=32),
        "training.learning_rate": Range(low=3e-4, high=1e-2, is_log=True),
        "training.weight_decay": Range(low=1e-4, high=0.5, is_log=True),
        "training.half_life_days": Range(low=180.0, high=3650.0, is_log=True),
    }
)
"""Settings worth searching and how far: everything else stays as configured."""


def space_around(recipe: Recipe) -> dict[str, Range]:
    """The search space, with room for the settings of `recipe` wherever they lie outside."""
    present = values_of(recipe)
    return {name: each.widened(present[name]) for name, each in SPACE.items()}


def values_of(recipe: Recipe) -> dict[str, float]:
    """What a recipe says of every searched setting."""
    parts = {"network": recipe.size, "training": recipe.training}
    places = {name: name.split(".") for name in SPACE}
    return {name: getattr(parts[part], field) for name, (part, field) in places.items()}


def with_values(recipe: Recipe, values: Values) -> Recipe:
    """The recipe with other values of some settings.

    Raises:
        UsageError: a value is impossible.
    """
    nested = _nested(values)
    size, training = nested.get("network", {}), nested.get("training", {})
    return replace(recipe, size=replace(recipe.size, **size), training=replace(recipe.training, **training))


def to_yaml(values: Values, *, present: Values) -> str:
    """The settings as they stand in config/model_config.yaml; those that differ from `present` say what they were.

    >>> print(to_yaml({"network.width": 64, "network.blocks": 2}, present={"network.width": 128, "network.blocks": 2}))
    network:
      width: 64  # was 128
      blocks: 2
    """
    lines = []
    for part, fields in _nested(values).items():
        lines.append(f"{part}:")
        for field, value in fields.items():
            was = present[f"{part}.{field}"]
            lines.append(f"  {_scalar(field, value)}{'' if value == was else f'  # was {was:g}'}")
    return "\n".join(lines)


def _scalar(field: str, value: float) -> str:
    return yaml.safe_dump({field: value}).strip()


def _nested(values: Values) -> dict[str, dict[str, Any]]:
    nested: dict[str, dict[str, Any]] = {}
    for name, value in values.items():
        part, field = name.split(".")
        nested.setdefault(part, {})[field] = value
    return nested
