"""Alembic, run on a connection whose transaction is already open."""

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError

_FOLDER = "gridcast.store:migrations"


def upgrade(connection: sa.Connection, *, to: str = "head") -> None:
    """Bring the tables from whichever revision they have to `to`, in the transaction of the connection."""
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, to)


def knows(revision: str) -> bool:
    """Whether a revision is one of these migrations."""
    try:
        return ScriptDirectory.from_config(_config()).get_revision(revision) is not None
    except CommandError:
        return False


def head() -> str | None:
    """The newest migration."""
    return ScriptDirectory.from_config(_config()).get_current_head()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", _FOLDER)
    config.set_main_option("path_separator", "os")
    return config
