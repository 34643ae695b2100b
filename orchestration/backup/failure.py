"""The one error of backup and restore."""

from karvon.warehouse import WarehouseError


class BackupError(WarehouseError):
    """A backup cannot be made or brought back; the message says why, and what is left as it was."""
