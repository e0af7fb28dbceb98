"""Commands about the database: backups, copies, migrations, encryption."""
