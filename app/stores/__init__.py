"""What the platform keeps, over SQL: SQLite by default, PostgreSQL when it is shared.

Adapters of `app.flows.ports` and of the protocols in `app.atproto.stores.protocols`.
Statements stand here as text, once, in the subset that both databases share; rows
become records here and nowhere else.
"""
