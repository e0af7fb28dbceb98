"""SQL stores: SQLite by default, PostgreSQL for several nodes.

They implement `app.flows.ports` and the protocols of `app.atproto.stores.protocols`.
Statements are text in the subset that both databases share. Rows become records here.
"""
