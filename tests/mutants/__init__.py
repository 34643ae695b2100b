"""`make mutants`: small faults put in one at a time, and whether the tests notice (docs/development.md)."""
