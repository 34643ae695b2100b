"""Named connections: which accounts and sites of each vendor exist, and where their secrets are.

`connections.yml` names them and the *variables* that hold their secrets, never a secret itself. Without the
file there is one connection called `default` per vendor, from the vendor's usual variables.

    plytix:
      eu: {api_key: PLYTIX_EU_API_KEY, api_password: PLYTIX_EU_API_PASSWORD}
    webflow:
      shop_eu: {api_token: WEBFLOW_EU_API_TOKEN, site_id: WEBFLOW_EU_SITE_ID}
    webhook:
      sales_team: {url: SALES_WEBHOOK_URL, secret: SALES_WEBHOOK_SECRET}
    files:
      partner: {folder: PARTNER_FOLDER}
    user_apis:                              # variables that a user's sources may name besides their own
      dora: [WOO_SECRET, STRIPE_KEY]
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import SecretStr

from karvon.addresses import Exceptions
from karvon.rate_limits import RateWindow, evenly, share
from karvon.settings import Settings, SettingsError
from karvon.written_yaml import UnreadableYaml, parse, read_text

SANDBOX_SITE_ID = "5f0c8c9e1c9d440000a1b2c3"


@dataclass(frozen=True)
class PlytixConnection:
    """One Plytix account. `base_url` without `/api/v…`; the product API version is a choice (dossier §1)."""

    name: str
    base_url: str
    auth_url: str
    products_api_version: Literal["v1", "v2"]
    api_key: SecretStr
    api_password: SecretStr
    rate_limits: tuple[RateWindow, ...]


@dataclass(frozen=True)
class WebflowConnection:
    """One Webflow site and the token that may write to it."""

    name: str
    base_url: str
    site_id: str
    api_token: SecretStr
    rate_limits: tuple[RateWindow, ...]


@dataclass(frozen=True)
class WebhookConnection:
    """One receiver of messages. The address is as secret as a password: whoever knows it can post."""

    name: str
    url: SecretStr
    secret: SecretStr | None
    """Key of the signature; without one messages are not signed."""
    chat: str | None
    """Telegram's chat id."""
    rate_limits: tuple[RateWindow, ...]
    exceptions: Exceptions
    """Addresses that are not public and may be reached all the same."""


@dataclass(frozen=True)
class Manners:
    """How a public API is met: what we say about ourselves, and how fast this process comes."""

    user_agent: str
    headers: Mapping[str, SecretStr]
    rate_limits: tuple[RateWindow, ...]
    concurrency: int


@dataclass(frozen=True)
class Universe:
    """The numbers that a crawl walks. It reaches `stop_after_missing` behind the last slice that found anything."""

    first_id: int
    last_id: int
    """At least so far; 0 if nobody knows."""
    slice_size: int
    stop_after_missing: int
    max_age_hours: float
    """A slice is stale when its last complete visit is older."""
    requests_per_run: int
    revisit_percent: float
    """Share of the requests that goes to products that change often (marts.crawl_priorities)."""


@dataclass(frozen=True)
class UzumConnection:
    """The Uzum storefront in one language. `token` is for its search only (Uzum dossier §1.2)."""

    name: str
    base_url: str
    graphql_url: str
    language: str
    token: SecretStr | None
    keywords: tuple[str, ...]
    review_products: tuple[str, ...]
    manners: Manners
    universe: Universe


@dataclass(frozen=True)
class UzumSellerConnection:
    """One seller's own account (Uzum dossier §1.7)."""

    name: str
    base_url: str
    token: SecretStr
    rate_limits: tuple[RateWindow, ...]


@dataclass(frozen=True)
class UzexConnection:
    """The procurement portal; `base_url` has a place for the module (Uzum dossier §2)."""

    name: str
    base_url: str
    etender_url: str
    language: str
    manners: Manners
    look_back_days: int
    windows_per_run: int
    details_per_run: int


USUAL_VARIABLES: Mapping[str, Mapping[str, str]] = {
    "plytix": {"api_key": "PLYTIX_API_KEY", "api_password": "PLYTIX_API_PASSWORD"},
    "webflow": {"api_token": "WEBFLOW_API_TOKEN", "site_id": "WEBFLOW_SITE_ID"},
    "webhook": {
        "url": "KARVON_WEBHOOK_URL", "secret": "KARVON_WEBHOOK_SECRET", "chat": "KARVON_WEBHOOK_CHAT",
    },
    "files": {"folder": "KARVON_EXPORTS_DIR"},
    "uzum": {"token": "UZUM_TOKEN"},
    "uzum_seller": {"token": "UZUM_SELLER_TOKEN"},
    "uzex": {},
}  # fmt: skip
_OPTIONAL = frozenset({("webhook", "secret"), ("webhook", "chat"), ("uzum", "token")})
"""Vendor and field of what a connection may leave out, or whose usual variable may be unset."""
_MARKETS = ("uzum", "uzum_seller", "uzex")
GRANTS = "user_apis"
"""Part of the file that grants variables to users (karvon/variable_grants.py)."""


def plytix_connections(settings: Settings) -> dict[str, PlytixConnection]:
    """All Plytix accounts. Raises `SettingsError` naming file, connection and missing variable."""
    sandbox = settings.profile == "sandbox"
    return {
        name: PlytixConnection(
            name=name,
            base_url=f"{settings.sandbox_url}/plytix" if sandbox else settings.plytix_base_url,
            auth_url=f"{settings.sandbox_url}/plytix/auth/api/get-token"
            if sandbox
            else settings.plytix_auth_url,
            products_api_version=settings.plytix_products_api_version,
            api_key=SecretStr(values["api_key"]),
            api_password=SecretStr(values["api_password"]),
            rate_limits=rate_windows("2000/10" if sandbox else settings.plytix_rate_limits),
        )
        for name, values in _declared(settings, "plytix").items()
    }


def webflow_connections(settings: Settings) -> dict[str, WebflowConnection]:
    """All Webflow sites. Raises `SettingsError` naming file, connection and missing variable."""
    sandbox = settings.profile == "sandbox"
    return {
        name: WebflowConnection(
            name=name,
            base_url=f"{settings.sandbox_url}/webflow/v2" if sandbox else settings.webflow_base_url,
            site_id=values["site_id"],
            api_token=SecretStr(values["api_token"]),
            rate_limits=rate_windows("6000/60" if sandbox else settings.webflow_rate_limits),
        )
        for name, values in _declared(settings, "webflow").items()
    }


def webhook_names(settings: Settings) -> list[str]:
    """The receivers that are declared, whether their variables are set or not."""
    return list(_names(settings, "webhook"))


def webhook_connection(settings: Settings, name: str) -> WebhookConnection:
    """One receiver. Raises `SettingsError` naming file, connection and missing variable.

    Receivers are resolved one by one, because a project may declare some that this machine never writes to.
    """
    sandbox = settings.profile == "sandbox"
    values = _resolve(settings, "webhook", name, _names(settings, "webhook")[name])
    return WebhookConnection(
        name=name,
        url=SecretStr(f"{settings.sandbox_url}/_webhook/{name}" if sandbox else values["url"]),
        secret=SecretStr(values["secret"]) if "secret" in values else None,
        chat=values.get("chat"),
        rate_limits=rate_windows("6000/60" if sandbox else settings.webhook_rate_limits),
        exceptions=Exceptions(loopback=sandbox, hosts=settings.reachable_private_hosts),
    )


def files_connections(settings: Settings) -> dict[str, Path]:
    """The folder of each connection. `default` without a variable is `exports` in Karvon's home of the profile."""
    own = settings.home.absolute() / settings.profile / "exports"
    folders: dict[str, Path] = {}
    for name, fields in _names(settings, "files").items():
        is_own = settings.profile == "sandbox" or (
            name == "default" and not settings.variable(USUAL_VARIABLES["files"]["folder"])
        )
        suffix = () if name == "default" else (name,)
        folders[name] = (
            own.joinpath(*suffix) if is_own else Path(_resolve(settings, "files", name, fields)["folder"])
        )
    return folders


def markets_wanted(settings: Settings) -> bool:
    """Whether runs without a selection take the markets too: asked for, or named in `connections.yml`."""
    return settings.markets or any(vendor in declared_connections(settings) for vendor in _MARKETS)


def uzum_connections(settings: Settings) -> dict[str, UzumConnection]:
    """The Uzum storefront. It needs no credentials; a token opens its search."""
    sandbox = settings.profile == "sandbox"
    return {
        name: UzumConnection(
            name=name,
            base_url=f"{settings.sandbox_url}/uzum" if sandbox else settings.uzum_base_url,
            graphql_url=f"{settings.sandbox_url}/uzum/graphql" if sandbox else settings.uzum_graphql_url,
            language=settings.uzum_language,
            token=SecretStr(values["token"]) if values.get("token") else None,
            keywords=_separated(settings.uzum_keywords),
            review_products=_separated(settings.uzum_review_products),
            manners=_manners(
                settings,
                settings.uzum_rate_limits,
                settings.uzum_concurrency,
                settings.uzum_headers,
                settings.crawl_workers,
            ),
            universe=Universe(
                first_id=settings.uzum_first_id,
                last_id=settings.uzum_last_id,
                slice_size=settings.uzum_slice_size,
                stop_after_missing=settings.uzum_stop_after_missing,
                # A day of the sandbox passes when somebody says so, not by the clock.
                max_age_hours=0 if sandbox else settings.uzum_max_age_hours,
                requests_per_run=1_000_000 if sandbox else settings.uzum_requests_per_run,
                revisit_percent=settings.uzum_revisit_percent,
            ),
        )
        for name, values in _declared(settings, "uzum").items()
    }


def uzum_seller_connections(settings: Settings) -> dict[str, UzumSellerConnection]:
    """Sellers' own accounts: none, unless `connections.yml` names one or UZUM_SELLER_TOKEN is set."""
    sandbox = settings.profile == "sandbox"
    named = "uzum_seller" in declared_connections(settings)
    if not sandbox and not named and not settings.variable("UZUM_SELLER_TOKEN"):
        return {}
    return {
        name: UzumSellerConnection(
            name=name,
            base_url=f"{settings.sandbox_url}/uzum/seller-openapi"
            if sandbox
            else settings.uzum_seller_base_url,
            token=SecretStr(values["token"]),
            rate_limits=rate_windows("2000/10" if sandbox else settings.uzum_seller_rate_limits),
        )
        for name, values in _declared(settings, "uzum_seller").items()
    }


def uzex_connections(settings: Settings) -> dict[str, UzexConnection]:
    """The procurement portal; it needs no credentials."""
    sandbox = settings.profile == "sandbox"
    return {
        name: UzexConnection(
            name=name,
            base_url=f"{settings.sandbox_url}/uzex/{{module}}" if sandbox else settings.uzex_base_url,
            etender_url=f"{settings.sandbox_url}/uzex/etender" if sandbox else settings.uzex_etender_url,
            language=settings.uzex_language,
            manners=_manners(
                settings, settings.uzex_rate_limits, settings.uzex_concurrency, settings.uzex_headers
            ),
            look_back_days=settings.uzex_look_back_days,
            windows_per_run=settings.uzex_windows_per_run,
            details_per_run=10_000 if sandbox else settings.uzex_details_per_run,
        )
        for name in _declared(settings, "uzex")
    }


def _separated(text: str) -> tuple[str, ...]:
    return tuple(filter(None, (part.strip() for part in text.split(","))))


def _manners(
    settings: Settings, limits: str, concurrency: int, headers: Mapping[str, SecretStr], workers: int = 1
) -> Manners:
    sandbox = settings.profile == "sandbox"
    windows = rate_windows("100000/1" if sandbox else limits)
    return Manners(
        user_agent=settings.user_agent,
        headers=headers,
        rate_limits=evenly(share(windows, workers)),
        concurrency=16 if sandbox else concurrency,
    )


def rate_windows(text: str) -> tuple[RateWindow, ...]:
    """`20/10,2000/3600` → windows of requests per seconds, all in force at once."""
    try:
        pairs = [part.split("/") for part in text.split(",")]
        return tuple(RateWindow(int(requests), float(seconds)) for requests, seconds in pairs)
    except ValueError:
        raise SettingsError(
            f"Rate limits {text!r}: write requests/seconds, several separated by commas, such as 20/10,2000/3600."
        ) from None


def _declared(settings: Settings, vendor: str) -> dict[str, dict[str, str]]:
    """Connection name → field → value, with each variable resolved."""
    declared = _names(settings, vendor)
    return {name: _resolve(settings, vendor, name, fields) for name, fields in declared.items()}


def _names(settings: Settings, vendor: str) -> dict[str, Any]:
    """Connection name → field → variable, as declared."""
    declared = declared_connections(settings).get(vendor) or {"default": dict(USUAL_VARIABLES[vendor])}
    return {str(name): fields or {} for name, fields in declared.items()}


def _resolve(settings: Settings, vendor: str, name: str, fields: Any) -> dict[str, str]:
    # The sandbox must never see a real key; each connection is a world of its own there.
    if settings.profile == "sandbox":
        return _sandbox_values(vendor, name)
    where = f"{settings.connections_file.name}: {vendor}.{name}"
    wanted = USUAL_VARIABLES[vendor]
    optional = {field for of, field in _OPTIONAL if of == vendor}
    needed = set(wanted) - optional
    if not isinstance(fields, Mapping) or not needed <= set(fields) <= set(wanted):
        may = f", and may name those for {', '.join(sorted(optional))}" if optional else ""
        raise SettingsError(f"{where} must name exactly the variables for {', '.join(sorted(needed))}{may}.")
    values: dict[str, str] = {}
    for field, variable in fields.items():
        value = settings.variable(str(variable))
        if not value and field in optional and fields == wanted:
            continue
        if not value:
            raise SettingsError(
                f"{variable} is not set, but the connection {vendor}.{name} needs it for {field}. "
                f"Put it into .env (see .env.example) or into the environment; "
                f"KARVON_PROFILE=sandbox needs no credentials."
            )
        values[field] = value
    return values


def _sandbox_values(vendor: str, name: str) -> dict[str, str]:
    suffix = "" if name == "default" else f"-{name}"
    if vendor == "plytix":
        return {"api_key": f"sandbox-key{suffix}", "api_password": "sandbox-password"}
    if vendor == "webhook":
        return {"secret": "sandbox-secret", "chat": "sandbox-chat"}
    if vendor in _MARKETS:
        return {
            "token": f"sandbox-seller-token{suffix}" if vendor == "uzum_seller" else "sandbox-guest-token"
        }
    site_id = (
        hashlib.md5(name.encode(), usedforsecurity=False).hexdigest()[:24] if suffix else SANDBOX_SITE_ID
    )
    return {"api_token": f"sandbox-token{suffix}", "site_id": site_id}


def declared_connections(settings: Settings) -> dict[str, Any]:
    """What the file holds, by vendor; nothing without a file. Raises `SettingsError`."""
    path = settings.connections_file
    if not (path.exists() or path.is_symlink()):
        return {}
    try:
        _, content = parse(read_text(path))
    except UnreadableYaml as error:
        raise SettingsError(f"{path.name}, line {error.line}: {error}.") from None
    content = {} if content is None else content
    known = {*USUAL_VARIABLES, GRANTS}
    unknown = set(map(str, content)) - known if isinstance(content, dict) else {"(not a mapping)"}
    if unknown:
        raise SettingsError(
            f"{path.name}: unknown vendor {', '.join(sorted(unknown))}; "
            f"known are {', '.join([*USUAL_VARIABLES, GRANTS])}."
        )
    for vendor, declared in content.items():
        if not isinstance(declared, Mapping | None):
            raise SettingsError(
                f"{path.name}: `{vendor}` must hold connections by name, see docs/connections.md."
            )
    return dict(content)
