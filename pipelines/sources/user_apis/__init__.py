"""APIs that users bring: declared in YAML, landed in one table (see README.md)."""
