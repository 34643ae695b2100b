"""Small plots as SVG in a Markdown image: nothing is fetched, and every page that shows Markdown can show them."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape

WIDTH, HEIGHT, EDGE = 480, 96, 18
GREEN, RED, INK, LINE = "#30a46c", "#e5484d", "#8b8d98", "#d9d9de"


def bars(title: str, values: Sequence[tuple[int, int]]) -> str:
    """Good and bad counts per run, the newest on the right."""
    most = max((good + bad for good, bad in values), default=0) or 1
    step = WIDTH / max(len(values), 12)
    parts = []
    for place, (good, bad) in enumerate(values):
        x, tall, red = place * step, (HEIGHT - 2 * EDGE) * good / most, (HEIGHT - 2 * EDGE) * bad / most
        # What is small next to a big run must still be seen.
        tall, red = max(tall, 2 if good else 0), max(red, 2 if bad else 0)
        base = HEIGHT - EDGE
        parts.append(
            _box(x, base - tall, step * 0.8, tall, GREEN) + _box(x, base - tall - red, step * 0.8, red, RED)
        )
    return _svg(title, f"most: {most}", "".join(parts))


def line(title: str, shares: Sequence[float]) -> str:
    """Shares between 0 and 1, the newest on the right."""
    low = min([*shares, 1.0])
    span = max(1 - low, 0.01)
    step = WIDTH / max(len(shares) - 1, 1)
    points = [
        (place * step, EDGE + (HEIGHT - 2 * EDGE) * (1 - (share - (1 - span)) / span))
        for place, share in enumerate(shares)
    ]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    last = (
        f'<circle cx="{points[-1][0]:.1f}" cy="{points[-1][1]:.1f}" r="3" fill="{GREEN}"/>' if points else ""
    )
    drawn = f'<polyline points="{path}" fill="none" stroke="{GREEN}" stroke-width="2"/>{last}'
    return _svg(title, f"lowest: {low:.1%}", drawn)


def markdown(svg: str, words: str) -> str:
    """The plot as a Markdown image; `words` say the same to who cannot see it."""
    address = base64.b64encode(svg.encode()).decode()
    return f"![{words}](data:image/svg+xml;base64,{address})"


def _box(x: float, y: float, width: float, height: float, colour: str) -> str:
    if not height:
        return ""
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" rx="1" fill="{colour}"/>'


def _svg(title: str, scale: str, inside: str) -> str:
    base = HEIGHT - EDGE
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="-4 0 {WIDTH + 8} {HEIGHT}" '
        f'width="{WIDTH}" height="{HEIGHT}">'
        f'<g font-family="sans-serif" font-size="11" fill="{INK}"><text x="0" y="11">{escape(title)}</text>'
        f'<text x="{WIDTH}" y="11" text-anchor="end">{escape(scale)}</text></g>'
        f'<line x1="0" x2="{WIDTH}" y1="{base}" y2="{base}" stroke="{LINE}"/>{inside}</svg>'
    )
