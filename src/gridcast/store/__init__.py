"""Readings, forecasts, scores and events in one SQL database, written whole or not at all."""
