"""Carrying a stored plan out through an open channel: journaled, resumable, row by row."""
