"""A small typed client of the API, for Python programs."""

from gridcast.client.client import Client
from gridcast.client.errors import ApiError

__all__ = ["ApiError", "Client"]
