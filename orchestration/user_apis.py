"""What reading users' APIs needs, put together from the settings."""

from __future__ import annotations

from karvon.addresses import Exceptions, GuardedTransport
from karvon.credentials import CredentialStore
from karvon.settings import Settings
from karvon.warehouse import Warehouse
from pipelines.sources.user_apis.fetch import Surroundings


def credential_store(settings: Settings) -> CredentialStore:
    """Raises `CredentialError` when no key is set."""
    return CredentialStore(settings.credentials_path, settings.credentials_keys)


def surroundings(settings: Settings, warehouse: Warehouse) -> Surroundings:
    """Variables, signed-in credentials, and the guarded way out."""
    exceptions = Exceptions(loopback=settings.profile == "sandbox", hosts=settings.reachable_private_hosts)

    def variable(name: str) -> str | None:
        # So that the demo's files need not know the sandbox's port.
        if settings.profile == "sandbox" and name == "KARVON_SANDBOX_URL":
            return settings.sandbox_url
        if settings.profile == "sandbox" and name.startswith("DEMO_"):
            return f"sandbox-{name.lower()}"
        return settings.variable(name)

    return Surroundings(
        warehouse,
        variable,
        credential_store(settings) if settings.credentials_keys else None,
        lambda: GuardedTransport(exceptions),
        workers=settings.source_workers,
        max_shrink_percent=settings.max_shrink_percent,
    )
