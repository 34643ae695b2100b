"""What the cells of a user's catalogue mean: types of further columns, option names, HTML, common names."""

import html
import re
from typing import Any

from sandbox.plytix.catalogue_file import as_bool, as_list, as_number, label_of
from sandbox.state import Document

OPTION_LABELS = {
    "color": "color", "colour": "color", "цвет": "color", "rang": "color", "size": "size", "размер": "size",
    "shoe size": "shoe_size", "размер обуви": "shoe_size",
}  # fmt: skip


def option_label(name: str) -> str:
    return OPTION_LABELS.get(" ".join(name.casefold().replace("_", " ").split()), label_of(name) or "option")


def common_name(names: list[str]) -> str:
    """What the names of variants begin with, up to a whole word; else the first name."""
    given = [name for name in names if name]
    words = [name.split() for name in given]
    shared = 0
    while words and all(len(one) > shared and one[shared] == words[0][shared] for one in words):
        shared += 1
    whole_words = " ".join(words[0][:shared]).rstrip(" -–—,;:/(|") if words else ""
    return whole_words if len(whole_words) >= 3 else (given[0] if given else "")


def as_html(text: str) -> str:
    """Plain text becomes paragraphs."""
    if re.search(r"<[a-z/!][^>]*>", text, re.IGNORECASE):
        return text
    paragraphs = [part.strip() for part in re.split(r"\n\s*\n|\n", text) if part.strip()]
    return "".join(f"<p>{html.escape(part)}</p>" for part in paragraphs)


def guess_type(values: list[Any]) -> str:
    """The type_class that fits all values of a further column."""
    texts = [str(value).strip() for value in values]
    if any(isinstance(value, list) for value in values) or all("|" in text for text in texts):
        return "MultiSelectAttribute"
    if all(
        isinstance(value, bool) or text.casefold() in YES_NO
        for value, text in zip(values, texts, strict=True)
    ):
        return "BooleanAttribute"
    # A leading zero is part of a code, not of a number.
    if all(re.fullmatch(r"-?(0|[1-9]\d{0,14})", text) for text in texts):
        return "IntAttribute"
    if all(re.fullmatch(r"-?(0|[1-9]\d{0,11})([.,]\d{1,6})?", text) for text in texts):
        return "DecimalAttribute"
    for type_class, pattern in (
        ("DateAttribute", r"\d{4}-\d{2}-\d{2}"), ("UrlAttribute", r"https?://\S+"), ("HtmlAttribute", r"(?s)<.+>"),
    ):  # fmt: skip
        if all(re.fullmatch(pattern, text) for text in texts):
            return type_class
    if any("\n" in text or len(text) > 200 for text in texts):
        return "MultilineAttribute"
    is_choice = len(set(texts)) <= min(30, len(texts) // 2) and max(map(len, texts)) <= 60
    return "DropdownAttribute" if is_choice else "TextAttribute"


YES_NO = frozenset({"true", "false", "yes", "no", "да", "нет"})


def typed(type_class: str, value: Any) -> Any:
    match type_class:
        case "BooleanAttribute":
            return as_bool(value)
        case "IntAttribute":
            return int(value)
        case "DecimalAttribute":
            return as_number(value)
        case "MultiSelectAttribute":
            return as_list(value)
        case _:
            return str(value)


def keep_times(documents: dict[str, Document], before: dict[str, Document]) -> list[tuple[str, Document]]:
    """A document that says the same as before keeps its times."""
    kept = []
    for key, document in documents.items():
        old = before.get(key, {})
        times = {
            name: old[name]
            for name in ("created", "modified", "file_modified")
            if name in old and name in document
        }
        same = document | times == old
        created = {"created": old["created"]} if "created" in old else {}
        kept.append((key, document | (times if same else created)))
    return kept


def fill_gaps(products: list[Document]) -> int:
    """A parent without price or picture shows the lowest price and the first picture below it.

    A variant without a price is sold at its parent's; gives the number of those.
    """
    below: dict[str, list[Document]] = {}
    for product in products:
        below.setdefault(product["parent_id"], []).append(product)
    by_depth = sorted(products, key=lambda product: -product["level"])
    for parent in by_depth:
        values = parent["attributes"]
        children = [child["attributes"] for child in below.get(parent["id"], [])]
        prices = [child["price"] for child in children if "price" in child]
        if "price" not in values and prices:
            values["price"] = min(prices)
        pictures = [child["main_image"] for child in children if "main_image" in child]
        if "main_image" not in values and pictures:
            values["main_image"], parent["thumbnail"] = pictures[0], pictures[0][0]
    filled = 0
    for parent in reversed(by_depth):
        for child in below.get(parent["id"], []):
            if "price" not in child["attributes"] and "price" in parent["attributes"]:
                child["attributes"]["price"] = parent["attributes"]["price"]
                filled += 1
    return filled
