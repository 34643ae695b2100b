"""APIs of a thousand sources in one process: most are fine, one hangs, one is broken, one sends HTML, one never ends.

python thousand_apis.py PORT ROWS
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

PAGE = 500
ENDLESS_PAGE = 5_000
ENDLESS_ROWS = 10_000_000


def order(source: str, number: int) -> dict[str, Any]:
    return {
        "id": f"{source}-{number}", "created": f"2026-01-{1 + number % 28:02}T10:00:00Z", "state": "PAID",
        "total": number + 0.5, "email": f"person{number % 300}@{source}.example",
    }  # fmt: skip


def application(rows: int) -> Starlette:
    async def fine(request: Request) -> Response:
        source, page = request.path_params["source"], int(request.query_params["page"])
        first = (page - 1) * PAGE
        found = [order(source, number) for number in range(first, min(first + PAGE, rows))]
        return JSONResponse({"items": found, "pages": -(-rows // PAGE)})

    async def endless(request: Request) -> Response:
        first = (int(request.query_params["page"]) - 1) * ENDLESS_PAGE
        found = [order("endless", number) for number in range(first, first + ENDLESS_PAGE)]
        return JSONResponse({"items": found, "pages": ENDLESS_ROWS // ENDLESS_PAGE})

    async def hanging(_: Request) -> Response:
        await asyncio.sleep(3600)
        return PlainTextResponse("")

    async def broken(_: Request) -> Response:
        return PlainTextResponse("internal error", 500)

    async def html(_: Request) -> Response:
        return HTMLResponse("<html>Please sign in</html>")

    odd = {"hanging": hanging, "broken": broken, "html": html, "endless": endless}
    routes = [Route(f"/{name}/orders", endpoint) for name, endpoint in odd.items()]
    return Starlette(routes=[*routes, Route("/{source}/orders", fine)])


if __name__ == "__main__":
    uvicorn.run(application(int(sys.argv[2])), host="127.0.0.1", port=int(sys.argv[1]), log_level="error")
