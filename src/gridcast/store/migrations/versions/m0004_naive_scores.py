"""Scores tell those of the weekly naive at the same points."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the columns; they are null in scores made before, until those are made again."""
    for name in ("naive_mae_mw", "naive_pinball_mw"):
        op.add_column("scores", sa.Column(name, sa.Double, nullable=True))
