"""Sign-in of the Plytix stand-in: tokens that look like JWTs and carry account and expiry."""

import base64
import binascii
import time
from typing import Any

import orjson

API_KEY = "sandbox-key"
API_PASSWORD = "sandbox-password"
SIGNATURE = "c2FuZGJveA"


def account_of_key(api_key: object, api_password: object) -> str | None:
    """`sandbox-key` is the account `default`, `sandbox-key-<name>` the account <name>; else None."""
    if api_password != API_PASSWORD or not isinstance(api_key, str):
        return None
    if api_key == API_KEY:
        return "default"
    name = api_key.removeprefix(f"{API_KEY}-")
    return name if name and name != api_key and "/" not in name else None


def issue_token(account: str, seconds: int) -> str:
    # The claims are the sandbox's own; a real token's are undocumented (Plytix dossier §3).
    claims = {"account": account, "exp": time.time() + seconds, "issued": time.time_ns()}
    return ".".join((encode({"alg": "HS256", "typ": "JWT"}), encode(claims), SIGNATURE))


def signed_in_account(authorization: str) -> str | None:
    """The account of a token that is ours and has not expired."""
    claims = token_claims(authorization)
    if claims is None or claims["exp"] < time.time():
        return None
    return str(claims["account"])


def account_of(authorization: str) -> str:
    """For the log and the limits: the account a token names, expired or not."""
    claims = token_claims(authorization)
    return str(claims["account"]) if claims else "unknown"


def token_claims(authorization: str) -> dict[str, Any] | None:
    parts = authorization.removeprefix("Bearer ").split(".")
    if not authorization.startswith("Bearer ") or len(parts) != 3 or parts[2] != SIGNATURE:
        return None
    try:
        claims = orjson.loads(base64.urlsafe_b64decode(parts[1] + "=="))
    except (binascii.Error, orjson.JSONDecodeError):
        return None
    return claims if isinstance(claims, dict) and {"account", "exp"} <= set(claims) else None


def encode(part: object) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(part)).decode().rstrip("=")
