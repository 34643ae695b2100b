"""Pages for people, from what `reverse_etl` stored and the marts hold: nothing here plans, applies or writes there."""
