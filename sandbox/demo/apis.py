"""Eight APIs over the three worlds, no two alike: paging, authentication, names, times, nesting and dirt."""

import base64
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from sandbox.demo.world import HISTORY_DAYS, Facts, Lead, Order, Person, facts
from sandbox.state import State

_DIRT = ({"id": "dirt-1", "note": "imported by mistake"}, {"id": "dirt-2", "note": "test row"})
"""Rows that no rule can clean: they must be rejected with a reason, never counted."""


class DemoWorld:
    """How many days have passed, kept in the state; the rest is computed."""

    def __init__(self, state: State, seed: int) -> None:
        self._days = state.collection("demo/world/days")
        self._seed = seed
        self._known: dict[tuple[str, int], Facts] = {}

    @property
    def days(self) -> int:
        return int((self._days.get("now") or {"days": HISTORY_DAYS})["days"])

    def move(self, days: int) -> int:
        self._days.put("now", {"days": self.days + days})
        return self.days

    def of(self, user_id: str) -> Facts:
        key = (user_id, self.days)
        if key not in self._known:
            self._known = {known: one for known, one in self._known.items() if known[1] == self.days}
            self._known[key] = facts(user_id, self.days, self._seed)
        return self._known[key]


def demo_routes(state: State, world: DemoWorld) -> list[BaseRoute]:
    """All eight below /demo."""
    calls: list[tuple[str, str, Callable[[DemoWorld, Request, Any], Response]]] = [
        ("GET", "/demo/anna_crm/v2/contacts", anna_crm),
        ("GET", "/demo/anna_shop/api/orders", anna_shop),
        ("GET", "/demo/anna_ads/leads", anna_ads),
        ("GET", "/demo/boris_crm/clients", boris_crm),
        ("POST", "/demo/boris_shop/oauth/token", boris_token),
        ("GET", "/demo/boris_shop/v1/orders", boris_shop),
        ("POST", "/demo/chen_store/search/{kind}", chen_store),
        ("GET", "/demo/chen_leads/export.json", chen_leads),
        ("GET", "/demo/chen_legacy/orders", chen_legacy),
    ]
    return [
        Route(path, _endpoint(world, call, state.public_url), methods=[method])
        for method, path, call in calls
    ]


def _endpoint(
    world: DemoWorld, call: Callable[[DemoWorld, Request, Any], Response], url: str
) -> Callable[..., Any]:
    async def handle(request: Request) -> Response:
        raw = await request.body()
        is_json = request.headers.get("content-type", "").startswith("application/json")
        body = orjson.loads(raw) if raw and is_json else raw.decode()
        return call(world, request, {"body": body, "url": url})

    return handle


def anna_crm(world: DemoWorld, request: Request, _: Any) -> Response:
    """Page numbers, bearer token, snake case, ISO times with an offset; a record is on two pages."""
    if request.headers.get("authorization") != "Bearer sandbox-anna_crm_token":
        return _answer({"message": "invalid token"}, 401)
    since = request.query_params.get("updated_since")
    people = [
        one for one in world.of("anna").people.values() if not since or _iso(one.updated_at) >= _utc(since)
    ]
    rows = [
        {
            "contact_id": one.id, "full_name": one.name, "email_address": one.email, "phone_number": one.phone,
            "lifecycle": "customer", "created_at": _local(one.created_at, world.of("anna")),
            "updated_at": _local(one.updated_at, world.of("anna")),
        }
        for one in people
    ]  # fmt: skip
    page, size = int(request.query_params.get("page", 1)), int(request.query_params.get("per_page", 25))
    # A list that shifts while it is read shows the last row of a page again on the next.
    shown = rows[max((page - 1) * size - 1, 0) : page * size]
    return _answer({"contacts": shown, "pagination": {"page": page, "pages": -(-len(rows) // size) or 1}})


def anna_shop(world: DemoWorld, request: Request, _: Any) -> Response:
    """Cursor, basic authentication, cents, seconds since 1970, nested customer."""
    expected = base64.b64encode(b"anna:sandbox-anna_shop_password").decode()
    if request.headers.get("authorization") != f"Basic {expected}":
        return _answer({"error": "unauthorised"}, 401)
    after = int(request.query_params.get("changed_after", 0))
    orders = [one for one in world.of("anna").orders.values() if one.updated_at.timestamp() >= after]
    start = int(request.query_params.get("cursor") or 0)
    words = {"partly_refunded": "PARTIALLY_REFUNDED"}
    rows: list[dict[str, Any]] = [
        {
            "id": f"A-{one.id}", "placed": int(one.ordered_at.timestamp()), "modified": int(one.updated_at.timestamp()),
            "state": words.get(one.status, one.status.upper()), "currency": "eur",
            "totals": {"gross_cents": int(one.gross * 100), "refunded_cents": int(one.refunded * 100)},
            "refunded_on": int(one.refunded_at.timestamp()) if one.refunded_at else None,
            "customer": {"id": one.person},
        }
        for one in orders
    ]  # fmt: skip
    rows += [] if after else [{**one} for one in _DIRT]
    more = start + 40 if start + 40 < len(rows) else None
    return _answer({"data": rows[start : start + 40], "next_cursor": str(more) if more else None})


def anna_ads(world: DemoWorld, request: Request, extra: Any) -> Response:
    """Link header, key in a header, camel case, naive local times with the day first, decimal comma."""
    if request.headers.get("x-api-key") != "sandbox-anna_ads_key":
        return _answer({"error": "key?"}, 403)
    page = int(request.query_params.get("p", 1))
    words = {"new": "Neu", "qualified": "Qualifiziert", "converted": "Gewonnen", "lost": "Verloren"}
    zone = world.of("anna").profile.zone
    rows = [
        {
            "leadId": one.id, "fullName": one.name, "email": one.email, "phone": one.phone, "stage": words[one.status],
            "utm": {"campaign": one.campaign}, "cost": str(one.cost).replace(".", ","),
            "createdOn": one.created_at.astimezone(zone).strftime("%d.%m.%Y %H:%M:%S"),
        }
        for one in world.of("anna").leads.values()
    ]  # fmt: skip
    answer = _answer(rows[(page - 1) * 50 : page * 50])
    if page * 50 < len(rows):
        answer.headers["link"] = f'<{extra["url"]}/demo/anna_ads/leads?p={page + 1}>; rel="next"'
    return answer


def boris_crm(world: DemoWorld, request: Request, _: Any) -> Response:
    """Offset, key in the query, naive local times, the list two levels down."""
    if request.query_params.get("token") != "sandbox-boris_crm_key":
        return _answer({"result": None, "error": {"code": 7}}, 401)
    offset, limit = int(request.query_params.get("offset", 0)), int(request.query_params.get("limit", 30))
    rows = [
        {
            "ID": f"{one.id:05}", "Mijoz": {"FIO": one.name, "Aloqa": [{"email": one.email}, {"tel": one.phone}]},
            "Sana": one.created_at.astimezone(world.of("boris").profile.zone).strftime("%Y-%m-%d %H:%M:%S"),
            "Holat": "faol",
        }
        for one in world.of("boris").people.values()
    ]  # fmt: skip
    return _answer({"result": {"items": rows[offset : offset + limit], "total": len(rows)}})


def boris_token(_world: DemoWorld, _request: Request, extra: Any) -> Response:
    fields = dict(part.split("=", 1) for part in str(extra["body"]).split("&") if "=" in part)
    if fields.get("client_secret") != "sandbox-boris_shop_secret":
        return _answer({"error": "invalid_client"}, 401)
    return _answer({"access_token": "boris-access", "token_type": "Bearer", "expires_in": 3600})


def boris_shop(world: DemoWorld, request: Request, extra: Any) -> Response:
    """OAuth2 client credentials, next address in the body, amounts with spaces and a comma, words in Russian."""
    if request.headers.get("authorization") != "Bearer boris-access":
        return _answer({"error": "token"}, 401)
    words = {"paid": "оплачен", "pending": "ожидает", "cancelled": "отменён", "refunded": "возвращён",
             "partly_refunded": "частичный возврат"}  # fmt: skip
    zone = world.of("boris").profile.zone
    rows: list[dict[str, Any]] = [
        {
            "number": one.id, "client": f"{one.person:05}", "status": words[one.status],
            "sum": f"{one.gross:,.2f}".replace(",", " ").replace(".", ","),
            "returned": f"{one.refunded:,.2f}".replace(",", " ").replace(".", ",") if one.refunded else "",
            "returned_at": one.refunded_at.astimezone(zone).strftime("%d.%m.%Y %H:%M") if one.refunded_at else "",
            "date": one.ordered_at.astimezone(zone).isoformat(), "valyuta": "UZS",
        }
        for one in world.of("boris").orders.values()
    ]  # fmt: skip
    rows.append(
        {
            "number": "x1",
            "client": None,
            "status": "оплачен",
            "sum": "много",
            "date": "вчера",
            "valyuta": "UZS",
        }
    )
    start = int(request.query_params.get("start", 0))
    more = f"/demo/boris_shop/v1/orders?start={start + 60}" if start + 60 < len(rows) else None
    return _answer({"orders": rows[start : start + 60], "links": {"next": more and f"{extra['url']}{more}"}})


def chen_store(world: DemoWorld, request: Request, extra: Any) -> Response:
    """A search by POST with the page in the body; orders in two currencies, customers beside them."""
    if request.headers.get("authorization") != "Bearer sandbox-chen_store_token":
        return _answer({"reason": "forbidden"}, 403)
    page = int(extra["body"].get("page", 0))
    facts_now = world.of("chen")
    rows = (
        [_chen_order(one) for one in facts_now.orders.values()]
        if request.path_params["kind"] == "orders"
        else [_chen_customer(one) for one in facts_now.people.values()]
    )
    since = request.query_params.get("since")
    rows = [row for row in rows if not since or row["doc"]["changed"] >= since]
    return _answer({"hits": rows[page * 35 : (page + 1) * 35], "meta": {"pages": -(-len(rows) // 35)}})


def _chen_order(one: Order) -> dict[str, Any]:
    return {
        "_id": f"o{one.id}",
        "doc": {
            "when": _z(one.ordered_at), "changed": _z(one.updated_at), "buyer": f"c{one.person}",
            "money": {"amount": float(one.gross), "cur": one.currency, "back": float(one.refunded)},
            "back_at": _z(one.refunded_at) if one.refunded_at else None,
            "state": {"paid": 1, "pending": 0, "cancelled": 9, "refunded": 5, "partly_refunded": 4}[one.status],
        },
    }  # fmt: skip


def _chen_customer(one: Person) -> dict[str, Any]:
    doc = {
        "mail": one.email,
        "tel": one.phone,
        "who": one.name,
        "born": _z(one.created_at),
        "changed": _z(one.updated_at),
    }
    return {"_id": f"c{one.id}", "doc": doc}


def chen_leads(world: DemoWorld, _request: Request, _: Any) -> Response:
    """One page, nobody asks who you are, milliseconds since 1970."""
    return _answer([_chen_lead(one) for one in world.of("chen").leads.values()])


def _chen_lead(one: Lead) -> dict[str, Any]:
    return {
        "uuid": f"lead-{one.id}", "ts": int(one.created_at.timestamp() * 1000), "mail": one.email, "mobile": one.phone,
        "name": one.name, "state": one.status, "campaign_name": one.campaign, "spend": float(one.cost),
    }  # fmt: skip


def chen_legacy(_world: DemoWorld, _request: Request, _: Any) -> Response:
    """What no reader of JSON can use; it must be refused in clear words."""
    return Response(
        "<?xml version='1.0'?><orders><order id='1'>&nbsp;<total>12</orders>", media_type="text/xml"
    )


def _answer(data: Sequence[Any] | dict[str, Any], status: int = 200) -> Response:
    return Response(orjson.dumps(data), status, media_type="application/json")


def _local(at: datetime, world: Facts) -> str:
    return at.astimezone(world.profile.zone).isoformat()


def _iso(at: datetime) -> datetime:
    return at.astimezone(UTC)


def _utc(text: str) -> datetime:
    # A plus sign in a query comes as a space.
    at = datetime.fromisoformat(text.replace(" ", "+").replace("Z", "+00:00"))
    return at if at.tzinfo else at.replace(tzinfo=ZoneInfo("UTC"))


def _z(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
