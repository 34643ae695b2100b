"""One page that needs nothing else: template, styles, scripts and data in one file, held together by its own policy."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2

HERE = Path(__file__).parent
TEMPLATES = HERE / "templates"


def render(
    name: str,
    content: Mapping[str, Any],
    *,
    pictures: str = "data:",
    libraries: Sequence[str] = (),
    styles_of_scripts: bool = False,
) -> str:
    """`<name>.html.j2` with `<name>.css`, `<name>.js` and libraries of `vendor/` before it; `content` goes in as JSON.

    The policy allows these scripts by their hash and no request but `pictures`. `styles_of_scripts`: a library
    writes style elements of its own.
    """
    style, *scripts = (
        path.read_text(encoding="utf-8")
        for path in (
            TEMPLATES / f"{name}.css",
            *(HERE / "vendor" / library for library in libraries),
            TEMPLATES / f"{name}.js",
        )
    )
    allowed = " ".join(f"'sha256-{_hash(script)}'" for script in scripts)
    styles = "'unsafe-inline'" if styles_of_scripts else f"'sha256-{_hash(style)}'"
    policy = (
        f"default-src 'none'; img-src {pictures}; style-src {styles}; script-src {allowed}; base-uri 'none'; "
        "form-action 'none'"
    )
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True)
    return environment.get_template(f"{name}.html.j2").render(
        policy=policy, style=style, scripts=scripts, content=content
    )


def look(name: str) -> str:
    """Changes when the template, its style or its script does."""
    files = sorted(TEMPLATES.glob(f"{name}.*"))
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in files)).hexdigest()[:16]


def _hash(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
