"""A stand-in for Uzum: the storefront, its search, and the Seller OpenAPI, over a market that moves (dossier §1)."""

from starlette.routing import BaseRoute

from sandbox.state import State
from sandbox.uzum.control import control_routes
from sandbox.uzum.market import Market
from sandbox.uzum.search import search_routes
from sandbox.uzum.seller import account_of as seller_account_of
from sandbox.uzum.seller import seller_routes
from sandbox.uzum.storefront import storefront_routes
from sandbox.uzum.switches import declare_switches

__all__ = ["Market", "control_routes", "declare_switches", "seller_account_of", "uzum_routes"]


def uzum_routes(state: State, market: Market) -> list[BaseRoute]:
    return [*storefront_routes(state, market), *search_routes(state, market), *seller_routes(state, market)]
