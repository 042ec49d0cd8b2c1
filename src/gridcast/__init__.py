"""gridcast: dynamic energy demand prediction for utilities."""

__version__ = "0.1.0"
