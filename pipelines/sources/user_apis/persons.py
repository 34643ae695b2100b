"""Documents without persons: what known keys hold and what looks like a person's anywhere in a text is taken out.

Pure functions over JSON values. What the mapping needs is not touched here: `privacy.py` says where that is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import orjson

REMOVED = "[removed]"
Place = tuple[str | int, ...]


def _listed(words: str) -> frozenset[str]:
    return frozenset(words.split())


_PERSONAL = _listed(
    """
    email emails mail phone phones mobile mobiles tel telephone telefon cell fax whatsapp telegram viber
    skype wechat firstname lastname surname fullname forename patronymic middlename familyname givenname fio
    ism familiya imya familia vorname nachname prenom nom apellido apellidos nombre cognome birthday
    birthdate birth dob passport pinfl jshshir ssn cpf nif dni ip avatar gravatar photo userpic username
    login nickname handle address address1 address2 addresses street strasse house flat apartment building
    postcode postal zip zipcode latitude longitude lat lng note notes comment comments remark remarks
    message signature cardholder iban agent
    """
)
"""Words of a key whose value is about a person."""
_OF_A_PERSON = _listed(
    """
    first last full middle given family second maiden display nick contact customer client buyer recipient
    user person owner payer payee sender receiver holder employee staff manager courier driver author guest
    member subscriber lead patient cardholder company billing shipping
    """
)
"""Words before `name`: `customer_name`, unlike `product_name`."""
_PERSONS = _listed(
    """
    billing shipping customer customers buyer buyers client clients contact contacts recipient recipients
    user users person persons people owner payer payee sender receiver consignee employee staff manager
    courier driver author guest guests member members subscriber attendee attendees lead patient cardholder
    addressee profile address addresses
    """
)
"""Keys of objects that are a person: in them only what is known to be harmless stays."""
_HARMLESS = _listed(
    """
    id ids uuid guid key type kind status state country city region province district currency code created
    updated modified registered at date time locale language timezone role total count
    """
)
_LABELS = ("name", "key", "label", "field", "title", "question", "code", "slug", "type", "id")
_VALUES = ("value", "values", "val", "answer", "answers", "text", "content", "data", "display_value")

_EMAIL = re.compile(r"[\w.+'-]+(?:@|%40)[\w-]+(?:\.[\w-]+)+")
_DIGITS = re.compile(r"(?<![\w.,-])(?:\+|\()?\d[\d\s().-]{5,}\d(?![\w,])")
_DATE = re.compile(r"\d{4}-\d\d?-\d\d?|\d\d?[./-]\d\d?[./-]\d{4}")
_PHONE_PLAIN = re.compile(r"998\d{9}")


def scrubbed(document: Any, kept: Mapping[Place, Any], *, is_person: bool) -> Any:
    """The document without persons. `kept` has the values that stay, by their place; `is_person` says that the
    document itself is one, as a lead or a customer is."""
    names = _words(_names(document, (), is_person, is_root=True))
    said = (
        re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, names))})(?!\w)", re.IGNORECASE) if names else None
    )

    def cleaned(text: str) -> str:
        text = without_contacts(text)
        return said.sub(REMOVED, text) if said else text

    return _scrubbed(document, (), kept, cleaned, is_person=is_person, is_root=True)


def without_contacts(text: str) -> str:
    """A text in which e-mail addresses, phone and card numbers and IP addresses are taken out."""
    return _DIGITS.sub(
        lambda found: REMOVED if _is_number_of_a_person(found[0]) else found[0], _EMAIL.sub(REMOVED, text)
    )


def is_personal(key: str) -> bool:
    """Whether a key, in whatever spelling, names something that only a person has."""
    words = _spelled(key)
    return not _PERSONAL.isdisjoint(words) or (words[-1:] == ["name"] and not _OF_A_PERSON.isdisjoint(words))


def _is_number_of_a_person(text: str) -> bool:
    count, groups = sum(map(str.isdigit, text)), len(re.findall(r"\d+", text))
    if _DATE.match(text) or not 7 <= count <= 19:
        return False
    return text[0] in "+(" or groups >= 3 or "(" in text or bool(_PHONE_PLAIN.fullmatch(text))


def _spelled(key: str) -> list[str]:
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", key).lower()
    return [word for word in re.split(r"[\W_]+", re.sub(r"(?<=[a-z])_?(?=[12]\b)", "", snake)) if word]


def _is_person(key: str) -> bool:
    return _spelled(key)[-1:] != [] and _spelled(key)[-1] in _PERSONS


def _is_label_of_a_person(node: Mapping[str, Any]) -> bool:
    """`{"name": "full_name", "values": [...]}`: the key is a value."""
    labels = (node[label] for label in _LABELS if isinstance(node.get(label), str))
    return any(name in node for name in _VALUES) and any(
        is_personal(label) or _spelled(label) == ["name"] for label in labels
    )


def _holds_a_name(key: str, node: Mapping[str, Any], *, is_person: bool, is_root: bool) -> bool:
    """Whether a plain `name` is a person's: of goods and orders it is not."""
    return _spelled(key) == ["name"] and (
        is_person or (not is_root and any(is_personal(other) for other in node))
    )


def _scrubbed(
    node: Any, at: Place, kept: Mapping[Place, Any], cleaned: Callable[[str], str], *, is_person: bool,
    is_root: bool = False,
) -> Any:  # fmt: skip
    if at in kept:
        return kept[at]
    if isinstance(node, str):
        return _embedded(node, cleaned, is_person) if node[:1] in "{[" and node[1:] else cleaned(node)
    if isinstance(node, list):
        return [
            _scrubbed(one, (*at, nth), kept, cleaned, is_person=is_person) for nth, one in enumerate(node)
        ]
    if not isinstance(node, dict):
        return node
    is_label = _is_label_of_a_person(node)
    found = {}
    for key, value in node.items():
        here = (*at, key)
        if (
            is_personal(key)
            or (is_label and key in _VALUES)
            or _holds_a_name(key, node, is_person=is_person, is_root=is_root)
        ):
            result = _removed(value, here, kept)
        elif isinstance(value, (dict, list)):
            result = _scrubbed(
                value, here, kept, cleaned, is_person=_is_person(key) or (is_person and not is_root)
            )
        elif (
            here not in kept
            and isinstance(value, str)
            and _is_loose_in_a_person(key, value, is_person and not is_root)
        ):
            result = REMOVED
        else:
            result = _scrubbed(value, here, kept, cleaned, is_person=is_person)
        found[cleaned(key)] = result
    return found


def _is_loose_in_a_person(key: str, value: str, inside: bool) -> bool:
    """A text in a person that nobody knows, or a person that is a text with a space, as a name is and no id."""
    return bool(value.strip()) and (
        (inside and _HARMLESS.isdisjoint(_spelled(key))) or (_is_person(key) and " " in value.strip())
    )


def _removed(node: Any, at: Place, kept: Mapping[Place, Any]) -> Any:
    """Everything in it but what is kept, flags, and where in the world it is."""
    if at in kept:
        return kept[at]
    if isinstance(node, dict):
        return {
            without_contacts(key): value
            if isinstance(value, (str, int)) and not is_personal(key) and not _HARMLESS.isdisjoint(_spelled(key))
            and not (isinstance(value, str) and without_contacts(value) != value)
            else _removed(value, (*at, key), kept)
            for key, value in node.items()
        }  # fmt: skip
    if isinstance(node, list):
        return [_removed(one, (*at, nth), kept) for nth, one in enumerate(node)]
    return node if node in (None, "") or isinstance(node, bool) else REMOVED


def _embedded(text: str, cleaned: Callable[[str], str], is_person: bool) -> str:
    """JSON in a text is looked through like any other."""
    try:
        node = orjson.loads(text)
    except ValueError:
        return cleaned(text)
    return orjson.dumps(_scrubbed(node, (), {}, cleaned, is_person=is_person)).decode()


def _names(node: Any, at: Place, is_person: bool, *, is_root: bool = False) -> Iterator[str]:
    """Every name that known keys hold: texts elsewhere may repeat it."""
    if isinstance(node, list):
        for one in node:
            yield from _names(one, at, is_person)
    elif isinstance(node, dict):
        for key, value in node.items():
            words = _spelled(key)
            is_name = _holds_a_name(key, node, is_person=is_person, is_root=is_root) or (
                is_personal(key)
                and ("name" in words[-1] or words[-1] in ("fio", "ism", "familiya", "surname", "forename"))
            )
            if is_name and isinstance(value, str):
                yield value
            else:
                yield from _names(value, at, _is_person(key) or (is_person and not is_root))
    return


def _words(names: Iterator[str]) -> list[str]:
    """Names and their parts, the longest first; of two letters and less are none, they would be found everywhere."""
    found = {part.strip() for name in names for part in (name, *name.split())}
    return sorted(
        (one for one in found if len(one) > 2 and not one.isdigit()), key=lambda one: (-len(one), one)
    )
