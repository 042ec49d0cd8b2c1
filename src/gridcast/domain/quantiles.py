"""Quantile levels of every forecast, and the columns that carry them."""

QUANTILE_LEVELS = (0.05, 0.10, 0.25, 0.50, 0.75, 0.90, 0.95)
"""Probabilities forecast for each interval, ascending; p50 is the point forecast."""

QUANTILE_COLUMNS = tuple(f"p{round(100 * level):02d}" for level in QUANTILE_LEVELS)
"""Column of each level, in the same order: p05, p10, p25, p50, p75, p90, p95 (MW)."""

MEDIAN = QUANTILE_LEVELS.index(0.50)
"""Position of the point forecast on the quantile axis."""

BANDS = {0.80: ("p10", "p90"), 0.90: ("p05", "p95")}
"""Central bands: nominal coverage → the columns of their lower and upper bound."""
