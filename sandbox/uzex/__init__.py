"""A stand-in for UZEX: auction, e-shop, national shop, competitions, direct purchases, e-tender (dossier §2)."""

from sandbox.uzex.control import control_routes
from sandbox.uzex.exchange import Exchange
from sandbox.uzex.routes import uzex_routes
from sandbox.uzex.switches import declare_switches

__all__ = ["Exchange", "control_routes", "declare_switches", "uzex_routes"]
