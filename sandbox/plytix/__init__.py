"""A stand-in for the Plytix API, as the Plytix dossier describes it, traps included."""

from sandbox.plytix.routes import plytix_routes
from sandbox.plytix.switches import declare_switches
from sandbox.plytix.tokens import account_of

__all__ = ["account_of", "declare_switches", "plytix_routes"]
