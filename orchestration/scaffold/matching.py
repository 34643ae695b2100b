"""Which attribute feeds which field: by normalised name and type, each used once; the rest is listed."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from orchestration.scaffold.attributes import Attribute
from reverse_etl.destinations.webflow.field_types import RemoteField

_SAME = {
    "colour": "color", "img": "image", "picture": "image", "photo": "image", "images": "gallery", "pictures": "gallery",
    "photos": "gallery", "manufacturer": "brand", "vendor": "brand", "make": "brand", "text": "description",
    "body": "description", "summary": "short", "url": "", "link": "", "g": "", "mm": "", "kg": "", "the": "", "web": "",
    "product": "", "item": "", "is": "", "has": "",
}  # fmt: skip
_FITS = {
    "Text": ("PlainText", "Email", "Phone", "Color", "Link", "VideoLink", "Option"),
    "Multiline": ("PlainText",),
    "Html": ("RichText",),
    "Int": ("Number", "PlainText"),
    "Decimal": ("Number",),
    "Dropdown": ("PlainText", "Option"),
    "MultiSelect": ("PlainText",),
    "Date": ("DateTime",),
    "Url": ("Link", "VideoLink", "PlainText"),
    "Boolean": ("Switch",),
    "MediaGallery": ("MultiImage",),
}
_NOT_OFFERED = frozenset({"Completeness", "Formula", "Hierarchy"})


@dataclass(frozen=True)
class Match:
    field: RemoteField
    attribute: Attribute


@dataclass(frozen=True)
class Unmatched:
    """A field or an attribute that nothing was found for, and what came closest."""

    name: str
    type: str
    reason: str = ""


@dataclass(frozen=True)
class Matching:
    """The result for one collection."""

    matches: tuple[Match, ...]
    fields: tuple[Unmatched, ...]
    attributes: tuple[Unmatched, ...]


def matched(
    fields: Sequence[RemoteField], attributes: Sequence[Attribute], taken: Iterable[str] = ()
) -> Matching:
    """Match what is left of both sides; `taken` are labels that are used already."""
    free = {
        one.label: one for one in attributes if one.label not in set(taken) and one.kind not in _NOT_OFFERED
    }
    matches: list[Match] = []
    unmatched: list[Unmatched] = []
    for field in fields:
        named = [one for one in free.values() if _names(field.slug, field.name) & _names(one.label, one.name)]
        fitting = [one for one in named if fits(field, one)]
        if fitting:
            best = max(fitting, key=lambda one: (plain(one.label) == plain(field.slug), one.filled))
            matches.append(Match(field, free.pop(best.label)))
        else:
            reason = f"{named[0].label} is {named[0].kind}" if named else ""
            unmatched.append(Unmatched(field.slug, field.type, reason))
    left = tuple(Unmatched(one.label, one.kind, _seen(one)) for one in free.values())
    return Matching(tuple(matches), tuple(unmatched), left)


def fits(field: RemoteField, attribute: Attribute) -> bool:
    """Whether values of the attribute can be values of the field."""
    if attribute.kind == "Media" or (attribute.kind in ("Text", "Url") and attribute.is_image):
        return field.type in (("Image", "Link") if attribute.is_image else ("File", "Link"))
    if field.type == "Option":
        offered = {one.name for one in field.options}
        return attribute.kind == "Dropdown" and set(attribute.options) <= offered
    return field.type in _FITS.get(attribute.kind, ())


def plain(name: str) -> str:
    """Letters and digits only, accents taken off: `SEO-title` and `seo_title` are one name."""
    decomposed = unicodedata.normalize("NFKD", name.lower())
    return "".join(letter for letter in decomposed if letter.isalnum())


def _names(*given: str) -> set[str]:
    names = {plain(one) for one in given}
    for one in given:
        words = [_SAME.get(word, word) for word in re.split(r"[\W_]+", one.lower()) if word]
        names.add("".join(sorted(word for word in words if word)))
    return names - {""}


def _seen(attribute: Attribute) -> str:
    if not attribute.filled:
        return "never filled"
    return "pictures" if attribute.is_image else ""
