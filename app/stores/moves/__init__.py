"""Backup, restore and copy: all tables of a database, and folders with their rows."""
