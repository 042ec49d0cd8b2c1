"""What alembic runs: the migrations, on the connection it is given."""

from alembic import context

from gridcast.store.upgrade import REVISIONS

context.configure(connection=context.config.attributes["connection"], version_table=REVISIONS.name)
context.run_migrations()
