"""The sandbox as one ASGI application, and as a server on loopback."""

import gc
import os
import threading
import time
from contextlib import suppress
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import ASGIApp

from sandbox import demo, plytix, uzex, uzum, webflow
from sandbox.control import Control, control_routes
from sandbox.demo.apis import DemoWorld
from sandbox.faults import Faults
from sandbox.gate import Gate
from sandbox.plytix.worlds import Worlds
from sandbox.rate_limits import RateLimits
from sandbox.request_log import RequestLog
from sandbox.state import State
from sandbox.webhook import webhook_routes

DEFAULT_PORT = 8791
DEFAULT_PRODUCTS = 300
DEFAULT_SEED = 7
DEFAULT_UZUM_IDS = 400
DEFAULT_UZEX_LOTS = 300


def create_app(
    state_dir: Path,
    *,
    products: int = DEFAULT_PRODUCTS,
    seed: int = DEFAULT_SEED,
    uzum_ids: int = DEFAULT_UZUM_IDS,
    uzex_lots: int = DEFAULT_UZEX_LOTS,
    public_url: str = f"http://127.0.0.1:{DEFAULT_PORT}",
) -> ASGIApp:
    """All stand-ins, the shop page, a receiver of webhooks and the control interface over the state in `state_dir`.

    `products`, `uzum_ids`, `uzex_lots` and `seed` shape worlds that are made now; one that `state_dir` already
    holds stays as it is.
    """
    state = State(state_dir, public_url=public_url)
    state.switches.declare(
        "sandbox.retry_after", True, choices=(True, False), help="A 429 of a rate limit carries Retry-After."
    )
    plytix.declare_switches(state.switches)
    webflow.declare_switches(state.switches)
    uzum.declare_switches(state.switches)
    uzex.declare_switches(state.switches)
    market = uzum.Market(state, ids=uzum_ids, seed=seed)
    exchange = uzex.Exchange(state, lots=uzex_lots, seed=seed)
    control = Control(
        state=state,
        worlds=Worlds(state, products=products, seed=seed),
        faults=Faults(),
        limits=RateLimits(state.collection("control/sandbox/limits")),
        log=RequestLog(),
    )
    control.worlds.of("default")
    demo_world = DemoWorld(state, seed)
    routes = [
        *demo.demo_routes(state, demo_world),
        *demo.control_routes(demo_world),
        Mount("/uzum", routes=uzum.uzum_routes(state, market)),
        Mount("/uzex", routes=uzex.uzex_routes(state, exchange)),
        *plytix.plytix_routes(control.worlds),
        *webflow.webflow_routes(state),
        *webflow.shop_routes(state),
        *webflow.control_routes(state),
        *webhook_routes(state),
        *uzum.control_routes(market),
        *uzex.control_routes(exchange),
        *control_routes(control),
    ]
    # Outside Starlette, whose own middleware would hide the connection that a fault closes.
    return Gate(
        Starlette(routes=routes), state=state, faults=control.faults, limits=control.limits, log=control.log,
        identify={"plytix": plytix.account_of, "webflow": webflow.account_of,
                  "uzum_seller": uzum.seller_account_of},
    )  # fmt: skip


def serve(
    state_dir: Path,
    port: int = DEFAULT_PORT,
    *,
    products: int = DEFAULT_PRODUCTS,
    seed: int = DEFAULT_SEED,
    uzum_ids: int = DEFAULT_UZUM_IDS,
    uzex_lots: int = DEFAULT_UZEX_LOTS,
    exit_with: int | None = None,
) -> None:
    """Serve on 127.0.0.1 until interrupted, or until the process `exit_with` is gone."""
    app = create_app(
        state_dir, products=products, seed=seed, uzum_ids=uzum_ids, uzex_lots=uzex_lots,
        public_url=f"http://127.0.0.1:{port}",
    )  # fmt: skip
    # The worlds stay: looking through them for garbage would hold up every answer.
    gc.freeze()
    server = uvicorn.Server(
        uvicorn.Config(app, host="127.0.0.1", port=port, log_level="error", access_log=False, lifespan="off")
    )
    if exit_with is not None:
        threading.Thread(target=stop_when_gone, args=(server, exit_with), daemon=True).start()
    # uvicorn stops in good order and then raises the interrupt again.
    with suppress(KeyboardInterrupt):
        server.run()


def stop_when_gone(server: uvicorn.Server, pid: int) -> None:
    while is_running(pid):
        time.sleep(0.5)
    server.should_exit = True


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
