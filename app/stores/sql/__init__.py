"""The database behind the stores: SQLite or PostgreSQL, its schema and transactions."""
