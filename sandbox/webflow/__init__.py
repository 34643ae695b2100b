"""A stand-in for the Webflow API and a shop page that shows what is in it, as the Webflow dossier says."""

from sandbox.webflow.control import control_routes
from sandbox.webflow.routes import webflow_routes
from sandbox.webflow.shop import shop_routes
from sandbox.webflow.sites import account_of
from sandbox.webflow.switches import declare_switches

__all__ = ["account_of", "control_routes", "declare_switches", "shop_routes", "webflow_routes"]
