"""What goes wrong with the database itself."""

from gridcast.domain.errors import GridcastError


class StoreError(GridcastError):
    """The database did not do what it was asked; nothing of that step was written, so it may be tried again."""
