"""The only file that reads the environment.

Values come from environment variables, then `.env` in the project folder, then files of a mounted secrets
folder (`KARVON_SECRETS_DIR`, one file per variable). A missing value is an error that names the variable;
there is no fallback from one profile to another. `.env.example` documents every variable (a test compares).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qsl, unquote, urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, DotEnvSettingsSource, SettingsConfigDict

from karvon.redaction import remember

PROJECT_ROOT = Path(__file__).resolve().parent.parent
DOTENV = PROJECT_ROOT / ".env"
_NOTICE_THE_DEAD = "-c client_connection_check_interval=2000"

_BROKEN_PERCENT = re.compile("%(?![0-9A-Fa-f]{2})")
_PG_VARIABLES = {
    "sslmode": "PGSSLMODE", "sslrootcert": "PGSSLROOTCERT", "sslcert": "PGSSLCERT", "sslkey": "PGSSLKEY",
    "channel_binding": "PGCHANNELBINDING",
}  # fmt: skip
"""What a URL says about encryption, for dbt, which is given the other parts one by one."""


class SettingsError(Exception):
    """A configuration value is missing or wrong; the message names it and says what to do."""


class Settings(BaseSettings):
    """Everything an operator can set, validated once. Secrets are `SecretStr` and never printed."""

    model_config = SettingsConfigDict(
        env_file=DOTENV,
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
    )

    profile: Literal["sandbox", "live"] = Field("sandbox", validation_alias="KARVON_PROFILE")
    """`sandbox`: stand-in APIs on loopback, apply allowed. `live`: real APIs, apply only when asked."""
    home: Path = Field(PROJECT_ROOT / ".karvon", validation_alias="KARVON_HOME")
    """Folder of everything Karvon writes locally: DuckDB file, Dagster storage, dbt target, sandbox state."""
    warehouse: SecretStr | None = Field(None, validation_alias="KARVON_WAREHOUSE_URL")
    """`duckdb:///path` or `postgresql://…`; unset means a DuckDB file per profile below `home`."""
    apply_wanted: bool | None = Field(None, validation_alias="KARVON_APPLY")
    """Whether runs without an explicit choice write to destinations; unset: only in the sandbox."""
    sync_every_minutes: int = Field(30, ge=1, le=1440, validation_alias="KARVON_SYNC_EVERY_MINUTES")
    sweep_every_hours: float = Field(24, ge=0, validation_alias="KARVON_SWEEP_EVERY_HOURS")
    """How often the complete list of ids is read from a source to find deletions."""
    max_shrink_percent: float = Field(50, ge=0, le=100, validation_alias="KARVON_MAX_SHRINK_PERCENT")
    """A sweep that would delete more than this share of a table is refused."""
    stock_reads_per_run: int = Field(200, ge=0, validation_alias="KARVON_STOCK_READS_PER_RUN")
    """Stock costs one Webflow call per SKU to read: so many are read again per run, in rotation."""
    stock_read_after_hours: float = Field(24, ge=0, validation_alias="KARVON_STOCK_READ_AFTER_HOURS")
    """Only stock that was not answered for so long is read again; before a write it is always read."""
    warehouse_lock_seconds: float = Field(30, ge=0, validation_alias="KARVON_WAREHOUSE_LOCK_SECONDS")
    """How long a command waits for a DuckDB file that another process holds."""
    run_lock_seconds: float = Field(6 * 3600, ge=0, validation_alias="KARVON_RUN_LOCK_SECONDS")
    """How long a run does: a notebook that somebody left open must not make it fail."""
    turn_seconds: float = Field(3600, ge=0, validation_alias="KARVON_TURN_SECONDS")
    """How long a step waits while another process builds models, applies, or reads the same source."""
    connections_file: Path = Field(
        PROJECT_ROOT / "connections.yml", validation_alias="KARVON_CONNECTIONS_FILE"
    )
    sources_folder: Path | None = Field(None, validation_alias="KARVON_SOURCES_DIR")
    """Folder with one YAML file per data source of a user; unset: `data_sources/<profile>` in the project."""
    source_workers: int = Field(8, ge=1, le=64, validation_alias="KARVON_SOURCE_WORKERS")
    """So many data sources of users are read side by side."""
    private_hosts: str = Field("", validation_alias="KARVON_PRIVATE_HOSTS")
    """Hosts, separated by commas, that user-given URLs may lead to although they are not public."""
    credentials_key: SecretStr | None = Field(None, validation_alias="KARVON_CREDENTIALS_KEY")
    """Opens the store of signed-in sources; several, the newest first, while the key is being changed."""
    alert_webhook_url: SecretStr | None = Field(None, validation_alias="KARVON_ALERT_WEBHOOK_URL")
    ui_url: str = Field("http://127.0.0.1:3000", validation_alias="KARVON_UI_URL")
    """Where people reach the Dagster UI: messages link to it."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "WARNING", validation_alias="KARVON_LOG_LEVEL"
    )
    log_format: Literal["text", "json"] = Field("text", validation_alias="KARVON_LOG_FORMAT")
    dagster_storage_url: SecretStr | None = Field(None, validation_alias="KARVON_DAGSTER_STORAGE_URL")
    """A Postgres database for Dagster's runs and events; unset: SQLite below `home`."""
    executor: Literal["local", "celery"] = Field("local", validation_alias="KARVON_EXECUTOR")
    """Where the steps of runs are done: by the machine of the code location, or by Celery workers."""
    celery_broker: SecretStr | None = Field(None, validation_alias="KARVON_CELERY_BROKER")
    """Carries steps to the workers and their results back."""
    celery_lost_after_seconds: int = Field(300, ge=10, validation_alias="KARVON_CELERY_LOST_AFTER_SECONDS")
    """A step that was not answered for so long is offered to another worker, who looks whether it is being done."""
    sandbox_port: int = Field(8791, ge=1, le=65535, validation_alias="KARVON_SANDBOX_PORT")
    sandbox_products: int = Field(300, ge=1, validation_alias="KARVON_SANDBOX_PRODUCTS")
    sandbox_uzum_ids: int = Field(400, ge=1, validation_alias="KARVON_SANDBOX_UZUM_IDS")
    sandbox_uzex_lots: int = Field(300, ge=1, validation_alias="KARVON_SANDBOX_UZEX_LOTS")
    secrets_folder: Path | None = Field(None, validation_alias="KARVON_SECRETS_DIR")

    plytix_base_url: str = Field("https://pim.plytix.com", validation_alias="PLYTIX_BASE_URL")
    plytix_auth_url: str = Field(
        "https://auth.plytix.com/auth/api/get-token", validation_alias="PLYTIX_AUTH_URL"
    )
    plytix_products_api_version: Literal["v1", "v2"] = Field(
        "v2", validation_alias="PLYTIX_PRODUCTS_API_VERSION"
    )
    plytix_rate_limits: str = Field("20/10,2000/3600", validation_alias="PLYTIX_RATE_LIMITS")
    """Requests per seconds, several windows at once; 50/10,5000/3600 on paid plans (Plytix dossier §3)."""
    webflow_base_url: str = Field("https://api.webflow.com/v2", validation_alias="WEBFLOW_BASE_URL")
    webflow_rate_limits: str = Field("60/60", validation_alias="WEBFLOW_RATE_LIMITS")
    """Start value; the limit is learned from each answer's headers (Webflow dossier §4)."""

    webhook_rate_limits: str = Field("1/1", validation_alias="KARVON_WEBHOOK_RATE_LIMITS")
    """Slack takes one message a second."""
    markets: bool = Field(False, validation_alias="KARVON_MARKETS")
    """Whether runs without a selection take the markets too; `karvon run --select market` always does."""
    user_agent: str = Field(
        "Karvon/0.1 (market research; set KARVON_USER_AGENT to say who you are)",
        validation_alias="KARVON_USER_AGENT",
    )
    crawl_workers: int = Field(1, ge=1, validation_alias="KARVON_CRAWL_WORKERS")
    """Processes that read Uzum at once; each gets its share of the rate limit."""
    uzum_base_url: str = Field("https://api.uzum.uz", validation_alias="UZUM_BASE_URL")
    uzum_graphql_url: str = Field("https://graphql.uzum.uz/", validation_alias="UZUM_GRAPHQL_URL")
    uzum_language: str = Field("ru-RU", validation_alias="UZUM_LANGUAGE")
    uzum_rate_limits: str = Field("2/1", validation_alias="UZUM_RATE_LIMITS")
    uzum_concurrency: int = Field(4, ge=1, le=100, validation_alias="UZUM_CONCURRENCY")
    uzum_headers: dict[str, SecretStr] = Field({}, validation_alias="UZUM_HEADERS")
    uzum_keywords: str = Field("", validation_alias="UZUM_KEYWORDS")
    """Search texts whose positions are recorded, separated by commas; they need UZUM_TOKEN."""
    uzum_review_products: str = Field("", validation_alias="UZUM_REVIEW_PRODUCTS")
    """Product ids whose reviews are read, separated by commas."""
    uzum_first_id: int = Field(1, ge=0, validation_alias="UZUM_FIRST_ID")
    uzum_last_id: int = Field(0, ge=0, validation_alias="UZUM_LAST_ID")
    uzum_slice_size: int = Field(1000, ge=1, le=20_000, validation_alias="UZUM_SLICE_SIZE")
    uzum_stop_after_missing: int = Field(1000, ge=0, validation_alias="UZUM_STOP_AFTER_MISSING")
    uzum_max_age_hours: float = Field(24, ge=0, validation_alias="UZUM_MAX_AGE_HOURS")
    uzum_requests_per_run: int = Field(2000, ge=1, validation_alias="UZUM_REQUESTS_PER_RUN")
    uzum_revisit_percent: float = Field(50, ge=0, le=100, validation_alias="UZUM_REVISIT_PERCENT")
    uzum_seller_base_url: str = Field(
        "https://api-seller.uzum.uz/api/seller-openapi", validation_alias="UZUM_SELLER_BASE_URL"
    )
    uzum_seller_rate_limits: str = Field("2/1", validation_alias="UZUM_SELLER_RATE_LIMITS")
    """Start value; the limit is learned from each answer's headers (Uzum dossier §1.7)."""
    uzex_base_url: str = Field("https://xarid-api-{module}.uzex.uz", validation_alias="UZEX_BASE_URL")
    uzex_etender_url: str = Field("https://apietender.uzex.uz", validation_alias="UZEX_ETENDER_URL")
    uzex_language: str = Field("ru", validation_alias="UZEX_LANGUAGE")
    uzex_rate_limits: str = Field("1/1", validation_alias="UZEX_RATE_LIMITS")
    uzex_concurrency: int = Field(2, ge=1, le=100, validation_alias="UZEX_CONCURRENCY")
    uzex_headers: dict[str, SecretStr] = Field({}, validation_alias="UZEX_HEADERS")
    uzex_look_back_days: int = Field(30, ge=0, validation_alias="UZEX_LOOK_BACK_DAYS")
    uzex_windows_per_run: int = Field(200, ge=1, validation_alias="UZEX_WINDOWS_PER_RUN")
    uzex_details_per_run: int = Field(200, ge=0, validation_alias="UZEX_DETAILS_PER_RUN")

    @field_validator("home")
    @classmethod
    def _is_a_plain_path(cls, value: Path) -> Path:
        """Dagster makes addresses of its paths, in which these signs mean something else."""
        if odd := sorted(set(str(value)) & set("%?#\n")):
            raise ValueError(f"the path holds {' '.join(map(repr, odd))}; choose a folder without")
        return value

    @field_validator("warehouse", "dagster_storage_url")
    @classmethod
    def _is_an_address(cls, value: SecretStr | None) -> SecretStr | None:
        """The parts of a Postgres URL can be told apart. The message never holds the URL: there is a password in it."""
        if value is not None and value.get_secret_value().startswith(("postgresql://", "postgres://")):
            try:
                address = urlsplit(value.get_secret_value())
                # Two readers of a raw @ find two different hosts.
                is_odd = bool(address.fragment or _BROKEN_PERCENT.search(value.get_secret_value())) or (
                    value.get_secret_value().count("@") > 1
                    or address.port == 0
                    or "@" in address.path + address.query
                )
                has_space = " " in unquote(address.netloc)
            except ValueError:
                is_odd, has_space = True, False
            if has_space:
                # dlt writes it into an address as it is, which the driver refuses.
                raise ValueError("user and password must not hold a space; give the role another password")
            if is_odd:
                raise ValueError(
                    "the URL cannot be read: write postgresql://user:password@host:5432/database, and in user and "
                    "password %40 for @, %3A for :, %2F for /, %3F for ?, %23 for #, %25 for %, %5B for ["
                )
        return value

    @property
    def sandbox_url(self) -> str:
        return f"http://127.0.0.1:{self.sandbox_port}"

    @property
    def warehouse_url(self) -> str:
        if self.warehouse is not None:
            return self.warehouse.get_secret_value()
        return f"duckdb:///{self.home.absolute() / self.profile / 'warehouse.duckdb'}"

    @property
    def apply(self) -> bool:
        return self.profile == "sandbox" if self.apply_wanted is None else self.apply_wanted

    @property
    def manifest_path(self) -> Path:
        return self.dbt_target_path / "manifest.json"

    @property
    def dbt_target_path(self) -> Path:
        return self.home.absolute() / self.profile / "dbt"

    @property
    def dagster_home(self) -> Path:
        return self.home.absolute() / self.profile / "dagster"

    @property
    def reports_path(self) -> Path:
        """Where pages about plans are written."""
        return self.home.absolute() / self.profile / "reports"

    @property
    def published_path(self) -> Path:
        """The copy of a DuckDB warehouse that everybody reads (karvon/published.py)."""
        return self.home.absolute() / self.profile / "published"

    @property
    def loads_path(self) -> Path:
        """Where loads are put together (pipelines/load_folder.py)."""
        return self.home.absolute() / self.profile / "loads"

    @property
    def sources_path(self) -> Path:
        return self.sources_folder or PROJECT_ROOT / "data_sources" / self.profile

    @property
    def credentials_path(self) -> Path:
        return self.home.absolute() / self.profile / "credentials.json"

    @property
    def credentials_keys(self) -> tuple[str, ...]:
        given = self.credentials_key.get_secret_value() if self.credentials_key else ""
        return tuple(key.strip() for key in given.split(",") if key.strip())

    @property
    def reachable_private_hosts(self) -> frozenset[str]:
        return frozenset(host.strip().lower() for host in self.private_hosts.split(",") if host.strip())

    @property
    def user_reports_path(self) -> Path:
        """Where the report pages of users are kept."""
        return self.reports_path / "users"

    @property
    def sandbox_state(self) -> Path:
        return self.home.absolute() / "sandbox"

    def variable(self, name: str) -> str | None:
        """The value of any variable that a connection names, from the same places as the settings."""
        value = os.environ.get(name)
        if not value:
            dotenv = DotEnvSettingsSource(type(self), env_file=DOTENV, case_sensitive=True)
            value = dotenv.env_vars.get(name)
        if not value and self.secrets_folder is not None and (self.secrets_folder / name).is_file():
            value = _read_secret(self.secrets_folder / name)
        return value or None

    def environment_for_children(self) -> dict[str, str]:
        """What dbt and Dagster need in their environment: paths, and the warehouse URL in parts for dbt."""
        address = urlsplit(self.warehouse_url)
        common = {
            "KARVON_PROFILE": self.profile,
            "KARVON_HOME": str(self.home.absolute()),
            "DAGSTER_HOME": str(self.dagster_home),
            "DAGSTER_DISABLE_TELEMETRY": "yes",
            "DO_NOT_TRACK": "1",
            "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
            "DBT_PROJECT_DIR": str(PROJECT_ROOT / "dbt_project"),
            "DBT_PROFILES_DIR": str(PROJECT_ROOT / "dbt_project"),
            "DBT_TARGET_PATH": str(self.dbt_target_path),
            "DBT_LOG_PATH": str(self.dbt_target_path / "logs"),
        }
        if address.scheme == "duckdb":
            return common | {
                "KARVON_DBT_TARGET": "duckdb",
                "KARVON_DUCKDB_PATH": self.warehouse_url.removeprefix("duckdb:///"),
            }
        query = dict(parse_qsl(address.query))
        given = os.environ.get("PGOPTIONS", "").replace(_NOTICE_THE_DEAD, "").strip()
        encrypted = {variable: query[name] for name, variable in _PG_VARIABLES.items() if name in query}
        return (
            common
            | encrypted
            | {
                # A server looks whether anybody still waits for a long statement only if it is told to.
                "PGOPTIONS": f"{_NOTICE_THE_DEAD} {given}".strip(),
                "KARVON_DBT_TARGET": "postgres",
                "KARVON_PG_HOST": query.get("host") or unquote(address.hostname or "") or "localhost",
                "KARVON_PG_PORT": query.get("port") or str(address.port or 5432),
                "KARVON_PG_USER": query.get("user") or unquote(address.username or "postgres"),
                "KARVON_PG_PASSWORD": query.get("password") or unquote(address.password or ""),
                "KARVON_PG_DATABASE": query.get("dbname") or unquote(address.path.lstrip("/")) or "postgres",
            }
        )


def _read_secret(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise SettingsError(f"The secret {path} cannot be read: {reason}.") from None


def load_settings() -> Settings:
    """Read and validate the settings. Raises `SettingsError` naming each wrong variable."""
    folder = os.environ.get("KARVON_SECRETS_DIR")
    try:
        settings = Settings(_secrets_dir=folder) if folder else Settings()
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}"
            for problem in error.errors(include_input=False)
        )
        raise SettingsError(f"Configuration: {problems}. See .env.example.") from None
    except UnicodeDecodeError:
        raise SettingsError(
            f".env or a file in {folder or 'KARVON_SECRETS_DIR'} is not UTF-8; save it again as UTF-8."
        ) from None
    remember(*_secrets(settings), *settings.credentials_keys)
    return settings


def _secrets(settings: Settings) -> Iterator[str]:
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        for one in value.values() if isinstance(value, dict) else (value,):
            # The path of a file is no secret, and messages name it.
            if isinstance(one, SecretStr) and not one.get_secret_value().startswith("duckdb:"):
                yield one.get_secret_value()


def export_environment(settings: Settings) -> None:
    """Put `environment_for_children` into this process' environment, for Dagster and the dbt it starts."""
    os.environ.update(settings.environment_for_children())


def child_environment(settings: Settings) -> dict[str, str]:
    """A full environment for a child process."""
    return {**os.environ, **settings.environment_for_children()}
