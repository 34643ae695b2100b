"""The Uzum storefront: what its answers mean, and one product as it is kept (Uzum dossier §1.2 to §1.4)."""

from __future__ import annotations

from karvon.connections import UzumConnection
from karvon.http import HttpClient, Meaning, NotFound
from karvon.http_body import parse_json
from pipelines.source import Context, Document
from pipelines.sources.uzum.settings import (
    BUSY_WORDS,
    MISSING_CODES,
    PRODUCT,
    SMALL_BODY,
)

__all__ = ["UzumClient", "meaning", "visit_product"]


class UzumClient(HttpClient):
    """Says who we are, in which language we ask, and reads the answers that a status does not explain."""

    def __init__(self, connection: UzumConnection) -> None:
        manners = connection.manners
        further = {name: value.get_secret_value() for name, value in manners.headers.items()}
        super().__init__(
            f"uzum:{connection.name}",
            base_url=connection.base_url,
            limits=manners.rate_limits,
            headers={"User-Agent": manners.user_agent, "Accept-Language": connection.language, **further},
            secrets=(*further.values(), connection.token.get_secret_value() if connection.token else ""),
            concurrency=manners.concurrency,
            meaning=meaning,
        )
        self.language = connection.language

    @staticmethod
    def of(context: Context) -> UzumClient:
        """The client of a load of this source."""
        if not isinstance(context.http, UzumClient):
            raise TypeError("Uzum resources need the client that the source's `connect` makes")
        return context.http


def meaning(status: int, body: bytes) -> Meaning | None:
    """Of an answer with status 200: nothing at all is a refusal, an empty envelope a missing record (§1.4)."""
    if status != 200 or len(body) > SMALL_BODY:
        return None
    if not body.strip():
        return "refused"
    try:
        envelope = parse_json(body)
    except ValueError:
        return None
    if not isinstance(envelope, dict) or "payload" not in envelope:
        return None
    payload = envelope["payload"]
    if payload is not None and not (isinstance(payload, dict) and payload.get("data", payload) is None):
        return None
    errors = envelope.get("errors") or ([{"message": envelope["error"]}] if envelope.get("error") else [])
    said = " ".join(str(error).lower() for error in errors)
    if any(word in said for word in BUSY_WORDS):
        return "busy"
    if said and not any(code in said for code in MISSING_CODES):
        return "failed"
    return "missing"


async def visit_product(http: HttpClient, number: int) -> Document:
    """One product and the language it is in. Raises `NotFound` for all three kinds of missing."""
    path = PRODUCT.format(id=number)
    answer = await http.request("GET", path)
    product = (answer.data.get("payload") or {}).get("data") if isinstance(answer.data, dict) else None
    if not isinstance(product, dict) or not product.get("title"):
        raise NotFound(f"{http.name}: {path} answered a product without a title", status=answer.status)
    language = http.language if isinstance(http, UzumClient) else None
    return {**product, "language": language}
