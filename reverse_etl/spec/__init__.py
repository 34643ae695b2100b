"""What a sync says: read from dbt's manifest, checked, with the place in the YAML of whatever is wrong.

Knows no warehouse, no plan and no destination.
"""
