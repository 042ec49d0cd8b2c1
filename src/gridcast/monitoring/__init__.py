"""Metric names, their text exposition, the alert rules over them; logs and traces."""
