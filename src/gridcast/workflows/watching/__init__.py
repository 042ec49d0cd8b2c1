"""Is all well: freshness, live accuracy, drift, state and the examination of an installation."""
