"""/_control/demo: let days pass, and what really happened."""

from collections.abc import Awaitable, Callable

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from sandbox.demo.apis import DemoWorld
from sandbox.demo.world import PROFILES, truth


def control_routes(world: DemoWorld) -> list[BaseRoute]:
    """`POST /_control/demo/next-day {days?}` and `GET /_control/demo/truth`."""
    return [
        Route("/_control/demo/next-day", _next_day(world), methods=["POST"]),
        Route("/_control/demo/truth", _truth(world), methods=["GET"]),
    ]


def _next_day(world: DemoWorld) -> Callable[[Request], Awaitable[Response]]:
    async def handle(request: Request) -> Response:
        raw = await request.body()
        days = int((orjson.loads(raw) if raw else {}).get("days", 1))
        return Response(orjson.dumps({"days": world.move(days)}), media_type="application/json")

    return handle


def _truth(world: DemoWorld) -> Callable[[Request], Awaitable[Response]]:
    async def handle(_: Request) -> Response:
        told = {user_id: truth(world.of(user_id)) for user_id in PROFILES}
        return Response(orjson.dumps(told), media_type="application/json")

    return handle
