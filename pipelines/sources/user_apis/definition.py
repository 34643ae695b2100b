"""A data source as its YAML declares it: frozen specs, from which the JSON Schema for editors is made too.

Secrets are only ever named (`${NAME}`): their values come from the environment or a mounted folder when a
request is made, and are not part of these objects.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

import orjson
from pydantic import AfterValidator, Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from pipelines.sources.user_apis.entities import ENTITIES, Entity
from pipelines.sources.user_apis.mapping import Conditions, FieldMapping, Path, Spec, Zone, wrong
from pipelines.sources.user_apis.paths import json_path

VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_NAME = r"^[a-z][a-z0-9_]{0,62}$"
_FORBIDDEN_HEADERS = frozenset({"host", "content-length", "transfer-encoding", "connection", "user-agent"})


class Misconfigured(Exception):
    """A variable or a sign-in that a definition needs is not there."""


def _secret(value: str) -> str:
    if not VARIABLE.fullmatch(value):
        raise ValueError("a secret is never written here: write ${NAME} and set NAME in the environment")
    return value


def _clean(value: str) -> str:
    if any(ord(sign) < 32 or ord(sign) == 127 for sign in value):
        raise ValueError("control characters and line breaks are not allowed in a header or a parameter")
    return value


SecretRef = Annotated[str, AfterValidator(_secret)]
Clean = Annotated[str, AfterValidator(_clean)]


class NoAuth(Spec):
    type: Literal["none"] = "none"


class Bearer(Spec):
    type: Literal["bearer"]
    token: SecretRef


class Basic(Spec):
    type: Literal["basic"]
    username: Clean
    password: SecretRef


class ApiKey(Spec):
    type: Literal["api_key"]
    name: Clean = "X-API-Key"
    value: SecretRef
    location: Literal["header", "query"] = Field("header", alias="in")


class ClientCredentials(Spec):
    type: Literal["oauth2_client_credentials"]
    token_url: str
    client_id: Clean
    client_secret: SecretRef
    scope: Clean | None = None


class RefreshToken(Spec):
    """The refresh token itself lives in the credential store: `karvon auth login SOURCE` puts it there."""

    type: Literal["oauth2_refresh_token"]
    token_url: str
    client_id: Clean
    client_secret: SecretRef | None = None
    scope: Clean | None = None


Auth = Annotated[
    NoAuth | Bearer | Basic | ApiKey | ClientCredentials | RefreshToken, Field(discriminator="type")
]


class Pages(Spec):
    """dlt's paginators under their own names (`rest_api`)."""

    def as_dlt(self) -> dict[str, Any]:
        """What dlt's factory takes. A total that is not named is not looked for, unlike in dlt."""
        said = self.model_dump(exclude_unset=True)
        return {**({"total_path": None} if "total_path" in type(self).model_fields else {}), **said}


class SinglePage(Pages):
    type: Literal["single_page"]


class Detected(Pages):
    type: Literal["auto"]


class NextUrl(Pages):
    type: Literal["json_link"]
    next_url_path: str = "next"


class LinkHeader(Pages):
    type: Literal["header_link"]
    links_next_key: str = "next"


class HeaderCursor(Pages):
    type: Literal["header_cursor"]
    cursor_key: str
    cursor_param: str


class Cursor(Pages):
    type: Literal["cursor"]
    cursor_path: str = "cursors.next"
    cursor_param: str | None = None
    cursor_body_path: str | None = None
    stop_after_empty_page: bool | None = None
    has_more_path: str | None = None


class Offset(Pages):
    type: Literal["offset"]
    limit: int = Field(gt=0)
    offset: int | None = None
    offset_param: str | None = None
    offset_body_path: str | None = None
    limit_param: str | None = None
    limit_body_path: str | None = None
    total_path: str | None = None
    maximum_offset: int | None = None
    stop_after_empty_page: bool | None = None
    has_more_path: str | None = None


class PageNumber(Pages):
    type: Literal["page_number"]
    base_page: int | None = None
    page_param: str | None = None
    page_body_path: str | None = None
    total_path: str | None = None
    maximum_page: int | None = None
    stop_after_empty_page: bool | None = None
    has_more_path: str | None = None


Paginator = Annotated[
    SinglePage | Detected | NextUrl | LinkHeader | HeaderCursor | Cursor | Offset | PageNumber,
    Field(discriminator="type"),
]


class RateLimit(Spec):
    requests: int = Field(gt=0)
    seconds: float = Field(gt=0)
    concurrency: int = Field(1, gt=0, le=32)
    """Requests that may be under way at once. With more than one, pages are read ahead where the answers tell how many
    there are."""


class Incremental(Spec):
    """Where the last complete load ended, and how the API is told."""

    cursor: Path
    """Path in a record, such as `updated_at`."""
    param: Clean
    """Query parameter that takes the cursor, such as `updated_since`."""
    format: Literal["as_is", "epoch", "epoch_ms", "date"] = "as_is"
    initial: str | None = None
    overlap_minutes: float = Field(5, ge=0)
    """Read again behind a cursor that is a time: clocks differ, and rows may become visible late."""


class ResourceSpec(Spec):
    """One list of the API."""

    name: str = Field(pattern=_NAME)
    path: Clean
    method: Literal["GET", "POST"] = "GET"
    params: dict[str, str | int | float | bool] = {}
    body: dict[str, Any] | None = None
    """JSON body of a POST; paginators with a body path write into it."""
    paginator: Paginator | None = None
    """Unsaid, it is found out from the first answer."""
    data_path: str | None = None
    """Where the list is in the answer; unsaid, it is found out."""
    missing_list: Literal["error", "empty"] = "error"
    """`empty`: an API that leaves an empty list out of its answer (Google's do), or says null for one."""
    key: str | tuple[str, ...]
    """The record's identity: a path, or several."""
    incremental: Incremental | None = None
    deletions: Literal["keep", "remove"] = "keep"
    """`remove`: a complete list without a record we know means that it was deleted there."""
    entity: Entity | None = None
    fields: dict[str, FieldMapping] = {}
    ignore: Conditions = ()
    """Records that take no part, such as test orders: they are landed and in no figure."""
    deleted: Conditions = ()
    """Records that say of themselves that they are gone: tombstones for every model."""

    @property
    def key_paths(self) -> tuple[str, ...]:
        return (self.key,) if isinstance(self.key, str) else self.key

    @model_validator(mode="after")
    def _fits(self) -> Self:
        for path in self.key_paths:
            json_path(path)
        if "://" in self.path or self.path.startswith("//"):
            raise ValueError("`path` is relative to `base_url`; another host needs a source of its own")
        if self.incremental and self.deletions == "remove":
            raise ValueError(
                "`deletions: remove` needs complete lists; take `incremental` out, or `deletions`"
            )
        if self.entity is None:
            if self.fields or self.ignore or self.deleted:
                raise ValueError("`fields`, `ignore` and `deleted` need an `entity`: lead, customer or order")
            return self
        known = ENTITIES[self.entity]
        if unknown := sorted(set(self.fields) - set(known)):
            raise ValueError(f"a {self.entity} has no field {', '.join(unknown)}; it has {', '.join(known)}")
        if missing := [name for name, field in known.items() if field.required and name not in self.fields]:
            raise ValueError(f"a {self.entity} needs the field {', '.join(missing)}")
        problems = {name: wrong(name, known[name], mapping) for name, mapping in self.fields.items()}
        if any(problems.values()):
            # Each at its own line of the file.
            raise ValidationError.from_exception_data("fields", [
                {"type": PydanticCustomError("mapping", "{said}", {"said": said}), "loc": ("fields", name),
                 "input": None}
                for name, said in problems.items() if said
            ])  # fmt: skip
        return self


class Limits(Spec):
    """Most that one run takes from this source."""

    rows: int = Field(1_000_000, gt=0)
    pages: int = Field(20_000, gt=0)
    seconds: float = Field(600, gt=0)
    megabytes: float = Field(64, gt=0)
    """Of one answer."""


class DataSource(Spec):
    """One API of one user: the whole content of a file in the registry."""

    user_id: str = Field(pattern=_NAME)
    source_id: str = Field(pattern=_NAME)
    title: str | None = None
    base_url: str
    auth: Auth = NoAuth()
    headers: dict[Clean, Clean] = {}
    time_zone: Zone = "UTC"
    """Zone of times that carry none."""
    rate_limit: RateLimit = RateLimit(requests=5, seconds=1)
    limits: Limits = Limits()
    links_to: str | None = None
    """The user's source that holds the customers to which this one's `customer_key` points."""
    personal_data: Literal["keep", "hash"] = "keep"
    """`hash`: e-mail, phone and name of a record are landed as keyed hashes only."""
    enabled: bool = True
    resources: tuple[ResourceSpec, ...] = Field(min_length=1)

    @property
    def connection(self) -> str:
        return f"{self.user_id}/{self.source_id}"

    @property
    def variables(self) -> frozenset[str]:
        """Names of all variables that the file refers to."""
        return frozenset(VARIABLE.findall(orjson.dumps(self.model_dump(mode="json")).decode()))

    @property
    def definition_hash(self) -> str:
        """Changes with the file: a source that was paused for good is tried again after an edit."""
        return hashlib.sha256(orjson.dumps(self.model_dump(mode="json"))).hexdigest()[:16]

    @model_validator(mode="after")
    def _fits(self) -> Self:
        scheme = urlsplit(VARIABLE.sub("http://x", self.base_url, count=1) if self.base_url.startswith("${")
                          else self.base_url).scheme  # fmt: skip
        if scheme not in ("http", "https"):
            raise ValueError("`base_url` must begin with https:// (or http://)")
        try:
            # A date without quotes or a number beyond 64 bits could neither be sent nor kept.
            orjson.dumps(
                self.model_dump(), option=orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_SUBCLASS
            )
        except (TypeError, ValueError) as error:
            raise ValueError(f"a value is neither text nor number ({error}); put it in quotes") from None
        if wrong := sorted(name for name in self.headers if name.lower() in _FORBIDDEN_HEADERS):
            raise ValueError(f"the header {', '.join(wrong)} cannot be set here")
        names = [resource.name for resource in self.resources]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"resource {', '.join(twice)} is declared more than once")
        return self


class Quotas(Spec):
    """Most that a user's sources may take in a day (UTC)."""

    rows_per_day: int | None = Field(None, ge=0)
    requests_per_day: int | None = Field(None, ge=0)
    minutes_per_day: float | None = Field(None, ge=0)

    def exceeded(self, used: Mapping[str, float]) -> str | None:
        """Which quota is used up, in words."""
        for name in ("rows", "requests", "minutes"):
            most = getattr(self, f"{name}_per_day")
            if most is not None and used.get(name, 0) >= most:
                return f"used {used[name]:g} of {most:g} {name} today"
        return None


class User(Spec):
    """One user of the platform, as `users.yml` in the registry has it. Users that it leaves out have defaults."""

    user_id: str = Field(pattern=_NAME)
    title: str | None = None
    time_zone: Zone = "UTC"
    """Whose midnight a day has."""
    currency: str = Field("EUR", pattern=r"^[A-Z]{3}$")
    """The currency of the user's reports; dated rates are in the seed `exchange_rates`."""
    suspended: bool = False
    quotas: Quotas = Quotas()


class Users(Spec):
    users: tuple[User, ...] = ()
