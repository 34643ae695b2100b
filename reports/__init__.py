"""Pages for people, made from what `reverse_etl` stored: nothing here plans, applies or writes to the warehouse."""
