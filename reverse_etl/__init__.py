"""Reverse ETL: what a model wants, what a destination has, and the smallest safe set of changes between them.

`syncs` says what goes where, `plan` computes and stores the changes, `apply` carries a stored plan out.
Everything is computed from the warehouse; only `destinations` talks to other systems.
"""
