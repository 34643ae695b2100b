"""How commands end, besides 0: nothing to do, or all applied."""

FAILURE, PENDING, BLOCKED, WRONG_USAGE, INTERRUPTED, TERMINATED = 1, 2, 3, 64, 130, 143
