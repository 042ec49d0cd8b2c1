"""How good a model is on days it has not seen: backtests, breakdowns, peaks, comparisons."""
