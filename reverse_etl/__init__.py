"""Reverse ETL: what a model wants, what a destination has, and the smallest safe set of changes between them.

`spec` says what goes where, `state` remembers, `planning` computes the changes and stores them, `review` shows
them and takes decisions, `applying` carries a stored plan out. No room knows one that comes later here.
Everything is computed from the warehouse; only `destinations` talks to other systems.
"""
