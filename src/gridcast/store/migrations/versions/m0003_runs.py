"""When each series was forecast is a table; in PostgreSQL the key of forecasts begins with the issue time."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_FILL = """
INSERT INTO runs (series_id, layer, issue_time, model_version, last_valid_time)
SELECT series_id, layer, issue_time, max(model_version), max(valid_time) FROM forecasts
GROUP BY series_id, layer, issue_time
"""


def upgrade() -> None:
    """Add and fill the table."""
    op.create_table(
        "runs",
        *(sa.Column(name, sa.Text, primary_key=True, nullable=False) for name in ("series_id", "layer")),
        sa.Column("issue_time", sa.BigInteger, primary_key=True, nullable=False, autoincrement=False),
        sa.Column("model_version", sa.Text, nullable=False),
        sa.Column("last_valid_time", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.execute(_FILL)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP INDEX forecasts_by_issue_time")
        op.execute("ALTER TABLE forecasts DROP CONSTRAINT forecasts_pkey")
        op.execute("ALTER TABLE forecasts ADD PRIMARY KEY (issue_time, series_id, valid_time, layer)")
