"""What alembic runs for each command: the revisions, on the connection it is given.

`app/stores/sql/versions.py` opens the connection and owns its transaction.
"""

from __future__ import annotations

from alembic import context

context.configure(connection=context.config.attributes["connection"])
with context.begin_transaction():
    context.run_migrations()
