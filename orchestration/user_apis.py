"""What reading users' APIs needs, put together from the settings."""

from __future__ import annotations

from karvon.addresses import Exceptions, GuardedTransport
from karvon.credentials import CredentialStore
from karvon.settings import Settings
from karvon.variable_grants import granted_variables, own_variables
from karvon.warehouse import Warehouse
from pipelines.sources.user_apis.fetch import Surroundings
from pipelines.sources.user_apis.grants import Grants
from pipelines.sources.user_apis.registry import Registry, read_registry

_DEMO = frozenset(
    {
        "ANNA_ADS_KEY",
        "ANNA_CRM_TOKEN",
        "ANNA_SHOP_PASSWORD",
        "BORIS_CRM_KEY",
        "BORIS_SHOP_SECRET",
        "CHEN_STORE_TOKEN",
    }
)
"""What the sandbox's stand-ins of users' APIs ask for."""


def declared_grants(settings: Settings) -> Grants:
    """What the operator lets users' sources name. Raises `SettingsError`."""
    return Grants(granted_variables(settings), own_variables(settings))


def declared_sources(settings: Settings) -> Registry:
    """The data sources that users declare, as far as they keep to the operator's grants. Raises `SettingsError`."""
    return read_registry(settings.sources_path, declared_grants(settings))


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
        value = settings.variable(name)
        return (
            f"sandbox-{name.lower()}"
            if not value and settings.profile == "sandbox" and name in _DEMO
            else value
        )

    return Surroundings(
        warehouse,
        variable,
        credential_store(settings) if settings.credentials_keys else None,
        lambda: GuardedTransport(exceptions),
        workers=settings.source_workers,
        max_shrink_percent=settings.max_shrink_percent,
        grants=declared_grants(settings),
    )
