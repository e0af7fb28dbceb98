"""Schema migrations (alembic): one revision for each release that changed the schema.

Revisions are in `versions/`, named after their release; `schema.sql` has the sum of all
for a new database. A revision runs while the release before it serves, so it only adds:
tables, indexes, and columns that may be NULL. Its steps (`steps.py`) may run again, as
they do after an interruption. A revision ends by naming the oldest release that runs
on its schema (`name_oldest`), for older nodes and for a release that is rolled back to.
There is no downgrade: a backup leads further back.
"""
