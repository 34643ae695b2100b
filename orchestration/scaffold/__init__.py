"""A first dbt model and sync for a shop nobody has mapped yet: matched, written, yours to change."""
