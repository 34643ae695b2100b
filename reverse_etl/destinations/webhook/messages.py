"""From a row to the body of a message: templates in a sandbox, every value escaped for who reads it.

Slack reads & < > as markup, Telegram the same in its HTML mode; JSON needs nothing, because texts are put into the
body after they are rendered. What the template itself says is the author's and stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any, Literal

from jinja2 import StrictUndefined, Template, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from reverse_etl.spec.values import WrongValue

Reader = Literal["slack", "telegram", "json"]
CHAT = "$chat"
"""Stands for the connection's chat id until the message is sent."""
_LONGEST: Mapping[str, int] = {"slack": 40_000, "telegram": 4_096, "json": 1_000_000}


def message(reader: Reader, text: str | None, body: Any, content: Mapping[str, Any]) -> Any:
    """The body for one row; `content` is what templates may name. Raises `WrongValue`."""
    if body is not None:
        return _filled(body, reader, content)
    if text is None:
        return {name: value for name, value in content.items() if name != "row"}
    rendered = _rendered(text, reader, content)
    if reader == "telegram":
        return {"chat_id": CHAT, "text": rendered, "parse_mode": "HTML"}
    return {"text": rendered}


def texts_of(part: Any) -> Iterator[str]:
    """Every template inside YAML."""
    if isinstance(part, str):
        yield part
    elif isinstance(part, Mapping):
        for value in part.values():
            yield from texts_of(value)
    elif isinstance(part, list | tuple):
        for value in part:
            yield from texts_of(value)


@lru_cache(maxsize=256)
def compiled(text: str, reader: Reader) -> Template:
    """Raises `jinja2.TemplateError`."""
    return _environment(reader).from_string(text)


def _filled(part: Any, reader: Reader, content: Mapping[str, Any]) -> Any:
    if isinstance(part, str):
        return _rendered(part, reader, content)
    if isinstance(part, Mapping):
        return {name: _filled(value, reader, content) for name, value in part.items()}
    if isinstance(part, list | tuple):
        return [_filled(value, reader, content) for value in part]
    return part


def _rendered(text: str, reader: Reader, content: Mapping[str, Any]) -> str:
    try:
        rendered = compiled(text, reader).render(content)
    except (TemplateError, TypeError, ValueError, ArithmeticError) as error:
        raise WrongValue(f"the message cannot be written: {error}") from None
    if len(rendered) > _LONGEST[reader]:
        raise WrongValue(f"the message has {len(rendered)} characters, {reader} takes {_LONGEST[reader]}")
    return rendered


@lru_cache
def _environment(reader: Reader) -> ImmutableSandboxedEnvironment:
    # Not autoescape: that is HTML with &#39;, which Slack shows as it stands.
    return ImmutableSandboxedEnvironment(
        autoescape=False, finalize=_ESCAPES[reader], undefined=StrictUndefined
    )


def _markup(value: Any) -> str:
    return _plain(value).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _plain(value: Any) -> str:
    return "" if value is None else str(value)


_ESCAPES: Mapping[str, Callable[[Any], str]] = {"slack": _markup, "telegram": _markup, "json": _plain}
