"""Release 0.1.0: the first schema; tables without a recorded version are its own."""

from __future__ import annotations

from pathlib import Path

from app.stores.migrations.steps import execute
from app.stores.sql.statements import statements

revision = "0.1.0"
down_revision = None

SCHEMA = Path(__file__).parents[1] / "release_0_1_0.sql"


def upgrade() -> None:
    """Create the tables of release 0.1.0."""
    for statement in statements(SCHEMA.read_text()):
        execute(statement)
