"""Secrets taken out of every text that leaves us, in whatever form they stand there. The one place for it.

Whoever holds a secret says so (`remember`): settings, clients, the credential store. From then on no form of it
passes `redact`: plain, URL-encoded, escaped for JSON, HTML or Python, in base64 beside anything (`Basic`), in hex, or
as a part of an address. What merely looks like a secret goes too.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

SHORTEST = 6
"""Shorter secrets would take letters out of ordinary words."""
_MOST_REMEMBERED = 5000
_PART_OF_AN_ADDRESS = 12
"""Path segments of a secret address, such as a webhook's, that are long enough to be what is secret in it."""

_LOOKS_SECRET = re.compile(
    r"(?i)(bearer\s+|basic\s+(?=\S*[=0-9])|\\?\"?(?:access_token|refresh_token|id_token|api_password|api_?key|x-api-key|"
    r"client_secret|password|passwd|token|secret|signature)\\?\"?\s*[:=]\s*\\?\"?)[^\s\"',}&\\]+"
)
_USER_OF_URL = re.compile(r"(://[^\s/:@\"']*:)[^\s/@\"']+(?=@)")
_BASE64 = r"(?:[A-Za-z0-9+/_\-]|\\/|%2[BbFf])"

_remembered: dict[str, None] = {}


def remember(*secrets: str | None) -> None:
    """From now on these are taken out of every text of this process."""
    for secret in secrets:
        if secret and len(secret) >= SHORTEST:
            _remembered.pop(secret, None)
            _remembered[secret] = None
    while len(_remembered) > _MOST_REMEMBERED:
        del _remembered[next(iter(_remembered))]


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """A text without secrets: those remembered, those given, and what looks like one."""
    text = without(text, (*secrets, *_remembered))
    return _USER_OF_URL.sub(r"\1***", _LOOKS_SECRET.sub(r"\1***", text))


def without(text: str, secrets: Iterable[str]) -> str:
    """A text without any form of these secrets; nothing else is touched."""
    for form in (form for secret in secrets for form in forms(secret)):
        if form.sign in text:
            text = _compiled(form.pattern).sub("***", text)
    return text


def holds(content: bytes, secrets: Iterable[str]) -> bool:
    """Whether a body holds a form of one of these secrets."""
    signs = [form for secret in secrets for form in forms(secret) if form.sign.encode() in content]
    text = content.decode("utf-8", "replace") if signs else ""
    return any(_compiled(form.pattern).search(text) for form in signs)


def cleaned(value: Any, secrets: Iterable[str]) -> Any:
    """A parsed JSON value whose texts are without these secrets, to any depth."""
    known = tuple(secrets)
    if isinstance(value, str):
        return without(value, known)
    if isinstance(value, dict):
        return {without(name, known): cleaned(one, known) for name, one in value.items()}
    return [cleaned(one, known) for one in value] if isinstance(value, list) else value


class Form(NamedTuple):
    """One way in which a secret may be written, and a piece of it that is the same in all its spellings."""

    sign: str
    pattern: str


# Only where its sign stands: most secrets never do, and compiling takes longer than looking.
_compiled = lru_cache(maxsize=1000)(re.compile)


@lru_cache(maxsize=_MOST_REMEMBERED)
def forms(secret: str) -> tuple[Form, ...]:
    """Every form of a secret and of what is secret in it, the whole before its parts."""
    found: list[Form] = []
    for part in dict.fromkeys(_parts(secret)):
        if len(part) >= SHORTEST:
            found += [*_written(part), *_in_hex(part), *_in_base64(part)]
    return tuple(found)


def _parts(secret: str) -> Iterator[str]:
    """The secret and what is secret in it: the password of a DSN, the path of a webhook, the lines of a key."""
    yield secret
    yield unquote(secret)
    if len(lines := secret.split()) > 1:
        yield from (line for line in lines if len(line) >= 16)
    if "://" not in secret:
        return
    try:
        parts = urlsplit(secret)
        given = [parts.password or "", *(value for _, value in parse_qsl(parts.query) if len(value) >= 8)]
    except ValueError:
        return
    if parts.scheme in ("http", "https"):
        given += [one for one in parts.path.split("/") if len(one) >= _PART_OF_AN_ADDRESS]
    else:
        given = [
            parts.password or "",
            *(value for name, value in parse_qsl(parts.query) if "password" in name),
        ]
    for one in given:
        yield one
        yield unquote(one)


_NAMED = {"&": "amp", "<": "lt", ">": "gt", '"': "quot", "'": "apos"}
_PLAIN = re.compile(r"[A-Za-z0-9]+")


def _written(part: str) -> Iterator[Form]:
    """As it is, and with any of its signs escaped in any usual way, as often as somebody likes."""
    sign = max(_PLAIN.findall(part), key=len, default="")
    yield Form(sign, "".join(one if _PLAIN.fullmatch(one) else _spellings(one) for one in part))


def _spellings(sign: str) -> str:
    content = sign.encode("utf-8", "surrogatepass")
    percent = "".join(rf"%(?:25)*(?i:{byte:02x})" for byte in content)
    units = sign.encode("utf-16-be", "surrogatepass").hex()
    escaped = "".join(rf"\\+u(?i:{units[place : place + 4]})" for place in range(0, len(units), 4))
    entity = rf"&(?:amp;)*(?:#0*{ord(sign)}|#x0*(?i:{ord(sign):x})|{_NAMED.get(sign, '#')});"
    others = {" ": r"|\+", "\\": r"|\\+", "\n": r"|\\+n|\s", "\t": r"|\\+t"}.get(sign, "")
    return rf"(?:\\*{re.escape(sign)}|{percent}|{escaped}|{entity}{others})"


def _in_hex(part: str) -> Iterator[Form]:
    content = part.encode("utf-8", "surrogatepass")
    percent = [f"%{byte:02x}" for byte in content]
    for written in (content.hex(), "".join(percent)):
        for form in (written, written.upper()):
            yield Form(form, re.escape(form))


def _in_base64(part: str) -> Iterator[Form]:
    """What base64 makes of it, whatever stands before and behind: three ways, by the place it begins at.

    The whole of what is packed goes: its edges belong to the neighbours and to the secret.
    """
    content = part.encode("utf-8", "surrogatepass")
    for before in range(3):
        packed = base64.b64encode(b"\0" * before + content).decode()
        inner = packed[-(-before * 8 // 6) : (before + len(content)) * 8 // 6]
        sign = max(_PLAIN.findall(inner), key=len, default="")
        spelled = inner.replace("+", r"(?:\+|-|%2[Bb])").replace("/", r"(?:\\*/|_|%2[Ff])")
        yield Form(sign, f"{_BASE64}{{0,2000}}{spelled}(?:{_BASE64}|=|%3[Dd]){{0,2000}}")
