"""What an answer of a user's API means: a limit, an error in spite of its status, or the list that was declared.

A list that is not there is never taken for an empty one: an API that says "token expired" with status 200 would
otherwise look like a shop without orders.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from karvon.http import Meaning
from karvon.http_body import parse_json

_SAID_AT_MOST = 200
_SMALL = 64 * 1024
"""An answer that tells of a limit is short."""
# Graph API: "Rate Limiting" (4, 17, 32, 613; 80000 to 80014 for business use cases), always with type and message.
_META_LIMITS = frozenset({4, 17, 32, 613, *range(80000, 80015)})
_LIMIT = re.compile(
    r"(?i)rate.?limit|too.?many.?(request|call|quer)|throttl|(request|call|query|quota|usage)s?.?(limit|quota)?.?"
    r"(was |has been |is )?(exceeded|reached)|exceed\w* .{0,40}(limit|quota|calls|requests)|too frequent|"
    r"resource.?exhausted|calls? per (second|minute|hour)"
)
_MAYBE_LIMIT = re.compile(rb"(?i)limit|throttl|too.?many|quota|frequent|exhausted|per second|\"code\"")

_ERRORS = frozenset(
    {"error", "errors", "errormessage", "errormessages", "errormsg", "errordescription", "fault", "exception"}
)
_FLAGS = frozenset({"ok", "success", "successful", "issuccess", "issuccessful", "succeeded"})
_STATES = frozenset({"error", "fail", "failed", "failure", "unauthorized", "forbidden"})
_WORDS = (
    "message", "msg", "errordescription", "description", "detail", "details", "errormessage", "errormsg",
    "faultstring", "title", "reason", "fault", "exception", "error", "errors", "code", "errorcode", "type", "status",
)  # fmt: skip
_LISTS = ("data", "items", "results", "records", "rows", "values", "entries", "content", "list")
_MANY = re.compile(r"\*|\.\.|\?|\[[^\]'\"]*[:,]")
"""In a path: what stands for several places."""


class NoList(ValueError):
    """An answer does not hold the list that was declared; the message says what it holds or says instead."""


def meaning(status: int, body: bytes) -> Meaning | None:
    """Whether an answer tells of a limit in its body, where its status does not."""
    if status not in (200, 400, 401, 403) or len(body) > _SMALL or not _MAYBE_LIMIT.search(body):
        return None
    try:
        data = parse_json(body)
    except ValueError:
        return None
    if not isinstance(data, Mapping) or (status == 200 and not _is_error(data)):
        return None
    error = data.get("error")
    if isinstance(error, Mapping) and "type" in error and error.get("code") in _META_LIMITS:
        return "busy"
    return "busy" if any(_LIMIT.search(text) for text in _texts(data)) else None


def refuse_error(data: Any) -> None:
    """Raises `NoList` with the API's own words for an error that came with a good status."""
    if isinstance(data, Mapping) and _is_error(data):
        raise NoList(f"the API answered with an error: {_words(data) or 'it gives no reason'}")


def records_at(data: Any, path: str | None, find: Any, may_lack: bool = False) -> list[Any]:
    """The list at a `data_path`, or the list that was found out (`find` gives all values at a path).

    `may_lack`: the API leaves an empty list out, so that none is an empty one.
    Raises `NoList` for a list that is not there.
    """
    refuse_error(data)
    records = _listed(data, path, find, may_lack)
    state = (
        next((data[name] for name in ("status", "result") if name in data), None)
        if isinstance(data, Mapping)
        else None
    )
    if not records and isinstance(state, str) and state.lower() in _STATES:
        raise NoList(f"the API answered with an error: {_words(data)}")
    return records


def _listed(data: Any, path: str | None, find: Any, may_lack: bool) -> list[Any]:
    found = find(path or "$", data) if data is not None else []
    if path and _MANY.search(path):
        return _of_many(data, path, found, find)
    if not found or found[0] is None:
        if may_lack and isinstance(data, Mapping):
            return []
        raise NoList(_not_there(data, path, "is null" if found else "is not there"))
    if isinstance(found[0], list):
        return list(found[0])
    if path or not isinstance(found[0], Mapping):
        hint = f"; `{path}.*` takes the values in it" if isinstance(found[0], Mapping) and path else ""
        raise NoList(_not_there(data, path, f"is {_kind(found[0])}, not a list{hint}"))
    # Nobody said where a list is, and there is none: the answer is one record, unless its list is null.
    if empty := [name for name in _LISTS if name in found[0] and found[0][name] is None]:
        raise NoList(_not_there(data, empty[0], "is null"))
    return [found[0]]


def _of_many(data: Any, path: str, found: list[Any], find: Any) -> list[Any]:
    fixed = path[: _MANY.search(path).start()].rstrip(".[")  # type: ignore[union-attr]
    inside = find(fixed or "$", data)
    if not inside or inside[0] is None:
        raise NoList(_not_there(data, fixed, "is null" if inside else "is not there"))
    return list(found[0]) if len(found) == 1 and isinstance(found[0], list) else found


def _not_there(data: Any, path: str | None, what: str) -> str:
    said = f"; the API says: {words}" if isinstance(data, Mapping) and (words := _words(data)) else ""
    held = f" It holds {', '.join(sorted(map(str, data))[:8])}." if isinstance(data, Mapping) and data else ""
    return f"the list at {path or 'the top'} {what}{said}.{held[:160]} Say with `data_path` where the list is"


def _kind(value: Any) -> str:
    return "an object" if isinstance(value, Mapping) else f"a {type(value).__name__}"


def _is_error(data: Mapping[str, Any]) -> bool:
    for name, value in data.items():
        plain = _plain(name)
        if plain in _ERRORS and value and not isinstance(value, int | float | str):
            return True
        if plain in _ERRORS and (
            value is True or (isinstance(value, str) and value.strip(" 0-").lower() not in _NONE)
        ):
            return True
        if plain in _FLAGS and (value is False or str(value).lower() == "false"):
            return True
    return False


_NONE = ("", "none", "null", "no", "ok", "false", "success")
"""What some APIs write for no error."""


def _plain(name: Any) -> str:
    return str(name).lower().replace("_", "").replace("-", "")


def _words(data: Any, depth: int = 0) -> str:
    """Up to three texts that explain, the most telling first."""
    return "; ".join(list(dict.fromkeys(_said(data, depth)))[:3])[:_SAID_AT_MOST]


def _said(data: Any, depth: int) -> Iterator[str]:
    if depth > 4:
        return
    if isinstance(data, Mapping):
        # What stands in the error itself says more than what stands beside it.
        names = sorted(
            (name for name in data if _plain(name) in _WORDS), key=lambda name: _WORDS.index(_plain(name))
        )
        nested = [name for name in names if isinstance(data[name], Mapping | list)]
        for name in [*nested, *(name for name in names if name not in nested)]:
            yield from _said(data[name], depth + 1)
    elif isinstance(data, list):
        for one in data[:3]:
            yield from _said(one, depth + 1)
    elif data is not None and not isinstance(data, bool) and str(data).strip():
        yield str(data).strip()[:_SAID_AT_MOST]


def _texts(data: Any, depth: int = 0) -> Iterator[str]:
    if isinstance(data, Mapping) and depth < 5:
        for value in data.values():
            yield from _texts(value, depth + 1)
    elif isinstance(data, list) and depth < 5:
        for value in data[:5]:
            yield from _texts(value, depth + 1)
    elif isinstance(data, str):
        yield data[:500]
