"""What a model must reach before it may take charge."""

from dataclasses import dataclass

from gridcast.domain.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """What a model must reach on held-out days.

    Attributes:
        min_skill_vs_naive: share by which its mean pinball loss must be below the weekly naive's.
        coverage_80: lowest and highest share of measurements its 80 % band may hold; beyond them it must at least be
            nearer to 80 % than the champion's.
        min_confidence: how sure it must be that its loss is below the champion's, 0 to 1; 0 asks for a smaller mean
            loss only.
        max_worse_at_level: share by which its loss may be above the champion's at any level of the hierarchy.
        max_latency_ms: longest time for the forecast of one series, once it is loaded.
        max_size_mb: largest artefact.
        approvals: how many persons other than the one who promotes must have approved of it.

    Raises:
        UsageError: a limit is impossible.
    """

    min_skill_vs_naive: float = 0.0
    coverage_80: tuple[float, float] = (0.70, 0.90)
    min_confidence: float = 0.8
    max_worse_at_level: float = 0.05
    max_latency_ms: float = 100.0
    max_size_mb: float = 200.0
    approvals: int = 0

    def __post_init__(self) -> None:
        low, high = self.coverage_80
        if not (self.min_skill_vs_naive < 1 and 0 <= low < high <= 1):
            raise UsageError(
                f"gate: min_skill_vs_naive {self.min_skill_vs_naive}, coverage_80 {list(self.coverage_80)}; expected a "
                "skill below 1 and two shares between 0 and 1, the lower one first."
            )
        if not (0 <= self.min_confidence < 1 and self.max_worse_at_level >= 0):
            raise UsageError(
                f"gate: min_confidence {self.min_confidence}, max_worse_at_level {self.max_worse_at_level}; expected a "
                "confidence of 0 or more and below 1, and a share of 0 or more."
            )
        if not (self.max_latency_ms > 0 and self.max_size_mb > 0 and 0 <= self.approvals <= 10):
            raise UsageError(
                f"gate: max_latency_ms {self.max_latency_ms}, max_size_mb {self.max_size_mb}, approvals "
                f"{self.approvals}; expected limits above 0, and 0 to 10 approvals."
            )
