"""Metric names, their text exposition, and the alert rules over them."""
