"""Persons in data: where they stand, in which words, and how a text reads without them.

What is looked for: phones as Uzbekistan writes them (+998…, 998…, 90 123-45-67, nine digits in a sentence) and others
with a plus, e-mail addresses, PINFL (14 digits, of people born in this and the last century), card numbers (Luhn),
names under keys that hold names, and names that show themselves: patronymics, initials, a surname beside another name.
What shows none of this is not found here: a source that may hold persons says what it keeps (`pipelines.kept`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

MASK = "[…]"
"""Stands in a landed text for what was left out."""

_APOSTROPHE = "['’‘ʻʼ`]"
_WORD = rf"[A-ZА-ЯЁЎҚҒҲ](?:\w|{_APOSTROPHE}|-)*"
_SURNAME = rf"[A-ZА-ЯЁЎҚҒҲ](?:\w|{_APOSTROPHE})+(?i:ov|ova|ev|eva|ов|ова|ев|ева|ёв|ёва)\b"
_CHILD_OF = rf"(?i:o{_APOSTROPHE}?g{_APOSTROPHE}?li|qizi|ўғли|угли|ўгли|оглы|қизи|кизи|кызы)\b"
_PATRONYMIC = rf"{_WORD}(?i:ович|евич|ьич|овна|евна|ovich|evich|ovna|evna)\b"
_ROLE = (
    rf"(?i:mas{_APOSTROPHE}?ul|масъул|контактное лицо|ответственн\w+|исполнитель|direktor|директор|rahbar|раҳбар|"
    r"руководитель|менеджер|menejer|mutaxassis|мутахассис|бухгалтер|buxgalter|aloqa uchun)"
)
_NAME_IN_TEXT = re.compile(
    "|".join(
        (
            rf"(?:{_WORD}\s+){{0,3}}{_CHILD_OF}",
            rf"(?:{_WORD}\s+){{0,2}}{_PATRONYMIC}",
            rf"{_WORD}\s+[A-ZА-ЯЁ]\.\s?[A-ZА-ЯЁ]\.|[A-ZА-ЯЁ]\.\s?[A-ZА-ЯЁ]\.\s?{_WORD}",
            rf"{_SURNAME}\s+[A-ZА-ЯЁ]\.|\b[A-ZА-ЯЁ]\.\s?{_SURNAME}",
            rf"{_SURNAME}\s+{_WORD}(?:\s+{_WORD})?|{_WORD}\s+{_SURNAME}",
        )
    )
)
_NAME_AFTER_ROLE = re.compile(
    rf"({_ROLE}(?:\s+(?i:shaxs|xodim|лицо|за)\w*)?\s*[:–-]?\s+)({_WORD}(?:\s+{_WORD}){{0,2}})"
)
_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_PHONE = re.compile(
    r"\+998[\s(-]*\d{2}[\s)-]*\d{3}[\s-]*\d{2}[\s-]*\d{2}(?!\d)"
    r"|(?<![\w.])\+\s?\d(?:[\s().-]{0,2}\d){8,14}(?!\d)"
    r"|(?<!\w)998[\s(-]*\d{2}[\s)-]*\d{3}[\s-]*\d{2}[\s-]*\d{2}(?!\w)"
    r"|(?<![\w.,-])\(?(?:20|33|50|55|6\d|7\d|88|9\d)\)?[\s-]\d{3}[\s-]?\d{2}[\s-]?\d{2}(?!\w)"
    r"|(?<!\w)8[\s-]?\(?\d{3}\)?[\s-]\d{3}[\s-]?\d{2}[\s-]?\d{2}(?!\w)"
)
_PHONE_IN_WORDS = re.compile(r"(?<![\w.,№-])(?:33|50|55|7[1-9]|88|9\d)\d{7}(?![\w.,]?\d)")
"""Nine digits alone may be anything; in a sentence, with a code of the country's networks, they are a phone."""
_PINFL = re.compile(r"(?<![\w-])[3-6]\d{13}(?!\w)")
_CARD = re.compile(r"(?<![\w-])(?:[2456]\d{3}|8600|9860)(?:[ -]?\d{4}){3}(?![\w-])")

_BUSINESS = re.compile(
    r"[«»“”„\"]|(?i:\b(?:mchj|мчж|ооо|ooo|oao|оао|oaj|оаж|aj|аж|ао|ao|zao|зао|xk|хк|чп|сп|qk|қк|yatt|ytt|ятт|яттт|ип|xt|fx|фх|"
    r"f/x|ф/х|duk|дук|гуп|муп|llc|ltd|inc|gmbh|jv|nnt|ннт|"
    r"maktab\w*|школ\w*|mtt|боғча\w*|bog.?cha\w*|hokim\w*|хоким\w*|vazirlig\w*|министерств\w*|markaz\w*|маркази|центр\w*|"
    r"zavod\w*|завод\w*|fabrika\w*|фабрик\w*|universitet\w*|университет\w*|institut\w*|институт\w*|kombinat\w*|"
    r"firma\w*|фирма\w*|korxona\w*|корхона\w*|предприяти\w*|jamiyat\w*|жамият\w*|общество\w*|birlashma\w*|объединени\w*|"
    r"boshqarma\w*|бошқарма\w*|управлени\w*|agentlig\w*|агентств\w*|qo.?mita\w*|комитет\w*|shifoxona\w*|больниц\w*|"
    r"поликлиник\w*|poliklinika\w*|\w*bank\w*|\w*банк\w*|savdo|servis|service|trade|group|invest|stroy|строй|kompaniya\w*|"
    r"компани\w*|company|holding|холдинг|fermer\w*|фермер\w*|xo.?jalig\w*|хозяйств\w*|davlat\w*|давлат\w*|государств\w*)\b)"
)

_KEYS: dict[str, frozenset[str]] = {
    "name": frozenset(
        [
            "fullname",
            "fio",
            "director",
            "directorname",
            "directorfullname",
            "rukovoditel",
            "organizername",
            "organizerfullname",
            "contactname",
            "contactperson",
            "contactfullname",
            "responsibleperson",
            "responsiblename",
            "responsiblepersonname",
            "firstname",
            "lastname",
            "middlename",
            "surname",
            "patronymic",
            "givenname",
            "familyname",
            "customerfullname",
            "recipient",
            "recipientname",
            "receivername",
            "clientname",
            "clientfullname",
            "buyerfullname",
            "accountantname",
            "signername",
            "authorname",
        ]
    ),
    "PINFL": frozenset(("pinfl", "pnfl", "jshshir", "pini")),
    "address": frozenset(
        ["deliveryaddress", "homeaddress", "billingaddress", "shippingaddress", "streetaddress", "residence"]
    ),
    "birth or passport": frozenset(
        ("birthdate", "birthday", "dateofbirth", "passport", "passportnumber", "passportserial")
    ),
}
_PARTIES = (
    "customer",
    "provider",
    "seller",
    "buyer",
    "supplier",
    "winner",
    "client",
    "user",
    "owner",
    "employee",
)
"""What begins so and ends with `name` is a business, or a person."""
_NUMBERS = (
    "displayno",
    "displayid",
    "contractnum",
    "sku",
    "gtin",
    "ean",
    "upc",
    "barcode",
    "code",
    "hash",
    "url",
    "href",
    "key",
)
"""Keys that end so hold numbers that only look like those of persons."""


def is_business(name: str) -> bool:
    """Whether a name says that it is one of an organisation or a registered trader."""
    return _BUSINESS.search(name) is not None


def is_person(name: str) -> bool:
    """Whether a name shows that it is one of a person, and none of a business."""
    return _NAME_IN_TEXT.search(name) is not None and not is_business(name)


def is_pinfl(value: Any) -> bool:
    """Whether a number is a person's: 14 digits. Tax numbers of organisations have nine."""
    return len(re.sub(r"\D", "", str(value))) == 14


def redacted(text: str) -> str:
    """A sentence with `MASK` where phones, e-mail addresses, PINFL, card numbers and names stood."""
    return _NAME_IN_TEXT.sub(MASK, without_contacts(text))


def without_contacts(text: str) -> str:
    """The same for the name of a business, which may be made of a person's."""
    for pattern in (_EMAIL, _PHONE, _PHONE_IN_WORDS, _PINFL):
        text = pattern.sub(MASK, text)
    text = _CARD.sub(lambda found: MASK if _luhn(found[0]) else found[0], text)
    return _NAME_AFTER_ROLE.sub(rf"\1{MASK}", text)


def findings(document: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Where a document holds what looks like a person's, and what: (path, kind). Never the value."""
    if isinstance(document, dict):
        for key, value in document.items():
            yield from findings(value, f"{path}.{key}" if path else str(key))
    elif isinstance(document, list):
        for value in document:
            yield from findings(value, path)
    elif document not in (None, "", False, True) and (kind := _kind(path, document)):
        yield path, kind


def counted(documents: Iterable[Any]) -> Counter[tuple[str, str]]:
    """How many values at each path look like a person's, by kind."""
    return Counter(found for document in documents for found in findings(document))


def _kind(path: str, value: Any) -> str | None:
    text = str(value).strip()
    if text.startswith("hmac:") or not text.replace(MASK, "").strip():
        return None
    key = re.sub(r"[^a-z0-9]", "", path.rpartition(".")[2].lower())
    if key in _KEYS["name"] or (key.startswith(_PARTIES) and key.endswith("name") and is_person(text)):
        return None if is_business(text) else "name"
    if "phone" in key or key in ("tel", "telefon", "mobile", "fax"):
        return "phone" if re.search(r"\d{5}", re.sub(r"\D", "", text)) else None
    for kind in ("PINFL", "address", "birth or passport"):
        if key in _KEYS[kind]:
            return kind
    if not isinstance(value, str) or key.endswith(_NUMBERS) or "://" in text:
        return None
    return _kind_of_text(text)


def _kind_of_text(text: str) -> str | None:
    if _EMAIL.search(text):
        return "e-mail"
    if _PHONE.search(text) or (" " in text and _PHONE_IN_WORDS.search(text)):
        return "phone"
    if _PINFL.search(text):
        return "PINFL"
    return "card" if any(_luhn(found[0]) for found in _CARD.finditer(text)) else None


def _luhn(number: str) -> bool:
    digits = [int(digit) for digit in number if digit.isdigit()]
    doubled = [digit * 2 - 9 * (digit > 4) for digit in digits[-2::-2]]
    return (sum(doubled) + sum(digits[-1::-2])) % 10 == 0
