"""The database, the only memory of Tocsin: tables, migrations, the unit of work, and repositories (all queries are there)."""
