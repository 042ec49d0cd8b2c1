"""What a model must reach before it may take charge."""

from dataclasses import dataclass

from gridcast.domain.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """What a model must reach on held-out weeks.

    `min_skill_vs_naive`: share by which its mean pinball loss must be below the weekly naive's. `coverage_80`: lowest
    and highest share of measurements its 80 % band may hold.

    Raises:
        UsageError: a limit is impossible.
    """

    min_skill_vs_naive: float = 0.0
    coverage_80: tuple[float, float] = (0.70, 0.90)

    def __post_init__(self) -> None:
        low, high = self.coverage_80
        if not (self.min_skill_vs_naive < 1 and 0 <= low < high <= 1):
            raise UsageError(
                f"gate: min_skill_vs_naive {self.min_skill_vs_naive}, coverage_80 {list(self.coverage_80)}; expected a "
                "skill below 1 and two shares between 0 and 1, the lower one first."
            )
