"""The APIs of three imaginary users: CRMs, shops and ad accounts, each with conventions of its own."""

from sandbox.demo.apis import demo_routes
from sandbox.demo.control import control_routes

__all__ = ["control_routes", "demo_routes"]
