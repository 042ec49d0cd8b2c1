"""Metrics, baselines, rolling folds and calibration: pure functions that say how good a forecast is."""
