"""Scores of a time are found without reading those of all times."""

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the index."""
    op.create_index("scores_by_issue_time", "scores", ["issue_time"])
