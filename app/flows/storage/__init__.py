"""Operator's work on the database as a whole: upgrade, backup, restore, copy."""
