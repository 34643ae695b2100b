"""Small plots: valid pictures that say what they show."""

from __future__ import annotations

import base64
from xml.etree import ElementTree

from reports import plot

SVG = "{http://www.w3.org/2000/svg}"


def test_a_failure_beside_a_big_run_is_still_seen() -> None:
    drawn = ElementTree.fromstring(plot.bars("runs <last>", [(10_000, 0), (3, 1)]))  # noqa: S314 - our own
    boxes = [(one.get("fill"), float(one.get("height") or 0)) for one in drawn.iter(f"{SVG}rect")]
    assert [colour for colour, _ in boxes] == [plot.GREEN, plot.GREEN, plot.RED]
    assert min(height for _, height in boxes) == 2
    assert [one.text for one in drawn.iter(f"{SVG}text")] == ["runs <last>", "most: 10000"]


def test_a_line_keeps_within_its_frame() -> None:
    drawn = ElementTree.fromstring(plot.line("parity", [1.0, 0.5, 1.0]))  # noqa: S314 - our own
    (path,) = drawn.iter(f"{SVG}polyline")
    heights = [float(point.split(",")[1]) for point in (path.get("points") or "").split()]
    assert heights == [plot.EDGE, plot.HEIGHT - plot.EDGE, plot.EDGE]
    assert ElementTree.fromstring(plot.line("parity", [])) is not None  # noqa: S314 - our own


def test_a_plot_travels_inside_of_markdown() -> None:
    text = plot.markdown(plot.line("parity", [1.0]), "parity")
    head, _, data = text.partition("base64,")
    assert head == "![parity](data:image/svg+xml;"
    assert b"<svg" in base64.b64decode(data.rstrip(")"))
