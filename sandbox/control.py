"""The control interface below /_control: log, faults, limits, switches, reset, and what happens in Plytix."""

from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from sandbox.faults import Faults
from sandbox.plytix.answers import ApiError, json_response
from sandbox.plytix.catalogue import CatalogueError, load_catalogue
from sandbox.plytix.next_day import next_day
from sandbox.plytix.worlds import Worlds
from sandbox.plytix.writes import create_product, delete_product, patch_product
from sandbox.rate_limits import RateLimits
from sandbox.request_log import RequestLog
from sandbox.state import Document, State

VENDORS = ("plytix", "webflow", "webhook", "uzum", "uzex")


class WrongUse(Exception):
    """A control call that makes no sense; the message says what would."""


@dataclass(frozen=True)
class Control:
    """What the control interface works on."""

    state: State
    worlds: Worlds
    faults: Faults
    limits: RateLimits
    log: RequestLog


@dataclass(frozen=True)
class Order:
    """One control call: its query and its JSON body, where both may name an `account`."""

    query: dict[str, str]
    body: Document

    @property
    def account(self) -> str:
        return str(self.body.get("account") or self.query.get("account") or "default")


Action = Callable[[Control, Order], Any]


def control_routes(control: Control) -> list[BaseRoute]:
    calls = [*ACTIONS, ("GET", "/healthz", health)]
    return [Route(path, endpoint(control, action), methods=[method]) for method, path, action in calls]


def endpoint(control: Control, action: Action) -> Callable[[Request], Awaitable[Response]]:
    async def handle(request: Request) -> Response:
        raw = await request.body()
        try:
            body = orjson.loads(raw) if raw else {}
            if not isinstance(body, dict):
                raise WrongUse("the body must be a JSON object")
            return json_response(action(control, Order(dict(request.query_params), body)))
        except (WrongUse, CatalogueError, ValueError) as error:
            return json_response({"error": str(error)}, 400)
        except KeyError as error:
            return json_response({"error": f"missing or unknown: {error.args[0]}"}, 400)
        except ApiError as error:
            return json_response(error.body, error.status)

    return handle


def health(control: Control, _order: Order) -> Any:
    return {"status": "ok", "state_dir": str(control.state.folder)}


def overview(control: Control, _order: Order) -> Any:
    return {
        "calls": [f"{method} {path}" for method, path, _ in ACTIONS],
        "collections": dict(control.state.sizes()),
        "switches": control.state.switches.as_dict(),
        "limits": control.limits.as_dict(),
        "faults": [asdict(rule) for rule in control.faults.rules],
        "last_seq": control.log.last_seq,
    }


def list_requests(control: Control, order: Order) -> Any:
    query = order.query
    found = control.log.select(
        since=int(query.get("since", 0)), vendor=query.get("vendor", ""), account=query.get("account", ""),
        method=query.get("method", ""), path=query.get("path", ""), limit=int(query.get("limit", 0)),
    )  # fmt: skip
    return {"last_seq": control.log.last_seq, "count": len(found), "requests": found}


def summarise_requests(control: Control, order: Order) -> Any:
    return control.log.summary(since=int(order.query.get("since", 0)))


def forget_requests(control: Control, _order: Order) -> Any:
    control.log.clear()
    return {"last_seq": control.log.last_seq}


def list_faults(control: Control, _order: Order) -> Any:
    return {"faults": [asdict(rule) for rule in control.faults.rules]}


def add_fault(control: Control, order: Order) -> Any:
    return asdict(control.faults.add(order.body))


def clear_faults(control: Control, _order: Order) -> Any:
    control.faults.clear()
    return {"faults": []}


def show_limits(control: Control, _order: Order) -> Any:
    return control.limits.as_dict()


def set_limits(control: Control, order: Order) -> Any:
    for vendor, windows in order.body.items():
        control.limits.set(vendor, windows)
    return control.limits.as_dict()


def reset_limits(control: Control, _order: Order) -> Any:
    control.limits.reset()
    return control.limits.as_dict()


def show_switches(control: Control, _order: Order) -> Any:
    return {
        switch.name: {
            "value": control.state.switches[switch.name], "default": switch.default,
            "choices": list(switch.choices), "help": switch.help,
        }
        for switch in control.state.switches.declared()
    }  # fmt: skip


def set_switches(control: Control, order: Order) -> Any:
    for name, value in order.body.items():
        control.state.switches.set(name, value)
    return control.state.switches.as_dict()


def reset_switches(control: Control, _order: Order) -> Any:
    control.state.switches.reset()
    return control.state.switches.as_dict()


def reset(control: Control, order: Order) -> Any:
    """`{vendor?, account?, products?, seed?}`: worlds begin anew; without a vendor all of them."""
    vendor = order.body.get("vendor")
    if vendor not in (None, *VENDORS):
        raise WrongUse(f"vendor is one of {', '.join(VENDORS)}, not {vendor!r}")
    named = order.body.get("account")
    for one in [vendor] if vendor else VENDORS:
        control.state.drop(f"{one}/{named}/" if named else f"{one}/")
    if vendor in (None, "plytix"):
        products, seed = order.body.get("products"), order.body.get("seed")
        control.worlds.reset(order.account, products=products, seed=seed)
    return {"collections": dict(control.state.sizes())}


def plytix_next_day(control: Control, order: Order) -> Any:
    return next_day(control.worlds.of(order.account), order.body.get("changes"))


def plytix_load(control: Control, order: Order) -> Any:
    return load_catalogue(control.state, order.account, Path(order.body["path"]))


def plytix_edit(control: Control, order: Order) -> Any:
    """`{sku | id, set: {status, attributes: {...}, ...}}`, `{sku | id, delete: true}` or `{create: {...}}`."""
    world = control.worlds.of(order.account)
    if "create" in order.body:
        return create_product(world, order.body["create"])
    found = world.by_sku(order.body["sku"]) if "sku" in order.body else world.products.get(order.body["id"])
    if found is None:
        raise WrongUse("no product with this sku or id")
    if order.body.get("delete"):
        return {"deleted": delete_product(world, found["id"])}
    return patch_product(world, found["id"], order.body["set"])


def plytix_products(control: Control, order: Order) -> Any:
    """The sandbox's own documents, for tests that compare: `?sku=` narrows."""
    world = control.worlds.of(order.account)
    sku = order.query.get("sku")
    found = [product for product in world.products.values() if sku in (None, product["sku"])]
    return {"count": len(found), "about": world.about.get("world"), "products": found}


ACTIONS: list[tuple[str, str, Action]] = [
    ("GET", "/_control", overview),
    ("GET", "/_control/requests", list_requests),
    ("GET", "/_control/requests/summary", summarise_requests),
    ("DELETE", "/_control/requests", forget_requests),
    ("GET", "/_control/faults", list_faults),
    ("POST", "/_control/faults", add_fault),
    ("DELETE", "/_control/faults", clear_faults),
    ("GET", "/_control/limits", show_limits),
    ("PUT", "/_control/limits", set_limits),
    ("DELETE", "/_control/limits", reset_limits),
    ("GET", "/_control/switches", show_switches),
    ("PUT", "/_control/switches", set_switches),
    ("DELETE", "/_control/switches", reset_switches),
    ("POST", "/_control/reset", reset),
    ("POST", "/_control/plytix/next-day", plytix_next_day),
    ("POST", "/_control/plytix/load", plytix_load),
    ("POST", "/_control/plytix/edit", plytix_edit),
    ("GET", "/_control/plytix/products", plytix_products),
]
