"""The database: the only package that holds SQL."""
