"""How a request proves who it comes from: dlt's ways, and a refresh token that changes whenever it is used."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from dlt.sources.helpers.rest_client.auth import (
    APIKeyAuth,
    BearerTokenAuth,
    HttpBasicAuth,
    OAuth2ClientCredentials,
)

from karvon.credentials import CredentialStore
from karvon.http import Malformed
from karvon.redaction import remember
from pipelines.sources.user_apis.definition import (
    ApiKey,
    Basic,
    Bearer,
    ClientCredentials,
    DataSource,
    Misconfigured,
    RefreshToken,
)


def authentication(
    source: DataSource, filled: Callable[[str], str], session: Any, credentials: CredentialStore | None
) -> Any:
    """The auth object of dlt's REST client, or None. Raises `Misconfigured`."""
    auth = source.auth
    if isinstance(auth, Bearer):
        return BearerTokenAuth(token=filled(auth.token))
    if isinstance(auth, Basic):
        return HttpBasicAuth(username=filled(auth.username), password=filled(auth.password))
    if isinstance(auth, ApiKey):
        return APIKeyAuth(name=auth.name, api_key=filled(auth.value), location=auth.location)
    if isinstance(auth, (ClientCredentials, RefreshToken)):
        return _OAuth2(source.connection, auth, filled, session, credentials)
    return None


class _OAuth2(OAuth2ClientCredentials):  # type: ignore[misc]  # dlt's types are not followed
    """Client credentials, or a refresh token that the server may replace whenever it is used."""

    def __init__(
        self, name: str, auth: ClientCredentials | RefreshToken, filled: Callable[[str], str], session: Any,
        store: CredentialStore | None,
    ) -> None:  # fmt: skip
        self._name, self._store = name, store
        self._refreshes = isinstance(auth, RefreshToken)
        super().__init__(
            access_token_url=filled(auth.token_url),
            client_id=filled(auth.client_id),
            client_secret=filled(auth.client_secret) if auth.client_secret else None,
            access_token_request_data={"scope": filled(auth.scope)} if auth.scope else {},
            session=session,
        )
        if self._refreshes and (store is None or not (store.read(name) or {}).get("refresh_token")):
            raise Misconfigured(f"{name} is not signed in: run `karvon auth login {name}`")

    def build_access_token_request(self) -> dict[str, Any]:
        request = super().build_access_token_request()
        data = {name: value for name, value in request["data"].items() if value is not None}
        if self._refreshes and self._store is not None:
            held = self._store.read(self._name) or {}
            data |= {"grant_type": "refresh_token", "refresh_token": held.get("refresh_token")}
        return {**request, "data": data}

    def parse_access_token(self, response_json: Any) -> str:
        if not isinstance(response_json, Mapping) or not response_json.get("access_token"):
            raise Malformed(f"{self._name}: the token address answered without an access_token")
        remember(*(str(value) for name, value in response_json.items() if name.endswith("token")))
        if self._refreshes and self._store is not None and response_json.get("refresh_token"):
            # Before it is used: a refresh token that is lost here would lock the user out.
            self._store.write(self._name, {"refresh_token": str(response_json["refresh_token"])})
        return str(response_json["access_token"])
