"""A stand-in for Uzum: the storefront, its search, and the Seller OpenAPI, over a market that moves (dossier §1)."""

from sandbox.uzum.control import control_routes
from sandbox.uzum.market import Market
from sandbox.uzum.storefront import storefront_routes
from sandbox.uzum.switches import declare_switches

__all__ = ["Market", "control_routes", "declare_switches", "storefront_routes"]
