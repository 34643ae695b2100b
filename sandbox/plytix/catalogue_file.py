"""Reading a user's own catalogue: a CSV or JSON file becomes rows of known fields and further columns.

Knows files, headers and the writing of values; what the rows mean for Plytix is the work of
`sandbox.plytix.catalogue`. The format is described in ``sandbox/README.md``.
"""

import csv
import io
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

HEADERS = {
    "sku": "sku article артикул code vendor_code item_code код код_товара variant_sku",
    "name": "name title название наименование product_name label web_title имя nomi",
    "price": "price цена retail_price розничная_цена narx variant_price",
    "compare_at_price": "compare_at_price old_price старая_цена rrp variant_compare_at_price",
    "stock": "stock quantity qty остаток остатки количество inventory variant_inventory_qty soni",
    "web_description": "web_description description описание html body body_html tavsif",
    "short_description": "short_description краткое_описание summary",
    "category": "category categories категория категории раздел category_path product_category",
    "parent_sku": "parent_sku parent родитель артикул_родителя parent_article handle group группа",
    "images": "images image image_url image_urls image_src photo photos фото картинка картинки изображение изображения "
    "picture pictures main_image gallery",
    "brand": "brand бренд производитель vendor manufacturer марка",
    "color": "color colour цвет rang",
    "size": "size размер",
    "shoe_size": "shoe_size размер_обуви",
    "material": "material материал состав",
    "weight_g": "weight_g вес_г variant_grams",
    "weight_kg": "weight_kg вес_кг",
    "gtin": "gtin ean barcode штрихкод upc variant_barcode",
    "status": "status статус",
    "show_on_web": "show_on_web published показывать опубликован на_сайте",
    "image_alt": "image_alt alt image_alt_text",
}
FIELD_BY_HEADER = {alias: name for name, aliases in HEADERS.items() for alias in aliases.split()}
OPTIONS_HEADERS = ("options", "опции")
OPTION_HEADER = re.compile(r"(?:option|опция|вариант)_?([123])_?(name|value|название|имя|значение)")
CYRILLIC = "абвгдеёжзийклмнопрстуфхцчшщъыьэюяўқғҳ"
IN_LATIN = "a b v g d e e zh z i y k l m n o p r s t u f h ts ch sh sch - y - e yu ya o q g h"
LATIN = {sign: latin.strip("-") for sign, latin in zip(CYRILLIC, IN_LATIN.split(), strict=True)}
TEXT_ENCODINGS = ("utf-8-sig", "cp1251")
REPORTED_PROBLEMS = 15


class CatalogueError(ValueError):
    """The file cannot be loaded; the message names line and column and says what to write instead."""


@dataclass
class Row:
    """One product or variant; `place` is how a person finds it in the file."""

    place: str
    fields: dict[str, Any] = field(default_factory=dict)
    options: list[tuple[str, str]] = field(default_factory=list)
    extra: dict[str, Any] = field(default_factory=dict)
    columns: dict[str, str] = field(default_factory=dict)


class Problems:
    """All that is wrong with a file, told at once."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._found: list[str] = []

    def add(self, row: Row, name: str, message: str) -> None:
        column = row.columns.get(name)
        self._found.append(f"{row.place}{f', column «{column}»' if column else ''}: {message}")

    def raise_if_any(self) -> None:
        if not self._found:
            return
        more = len(self._found) - REPORTED_PROBLEMS
        shown = self._found[:REPORTED_PROBLEMS] + ([f"… and {more} more"] if more > 0 else [])
        raise CatalogueError(f"{self._file} was not loaded, nothing has changed:\n" + "\n".join(shown))


def read_rows(path: Path) -> list[Row]:
    """Rows in the order of the file. Raises CatalogueError when it is missing, empty or lacks SKU and name."""
    if path.exists() and not path.is_file():
        # A pipe would be waited for, without end.
        raise CatalogueError(f"{path} is not a file; give the path of a CSV or JSON file")
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise CatalogueError(f"{path}: {error.strerror}; give the path of a CSV or JSON file") from None
    text = decode(raw)
    if not text.strip():
        raise CatalogueError(
            f"{path.name} is empty; the first line names the columns, at least sku, name and price"
        )
    is_json = path.suffix.lower() == ".json" or text.lstrip()[:1] in "[{"
    rows = json_rows(path.name, text) if is_json else csv_rows(path.name, text)
    if not rows:
        raise CatalogueError(f"{path.name} has no products")
    found = {name for row in rows for name in row.columns}
    for name in ("sku", "name"):
        if name not in found:
            headers = ", ".join(dict.fromkeys(header for row in rows[:50] for header in row.columns.values()))
            raise CatalogueError(
                f"{path.name} has no column for the {name}: rename one to {name} (or {HEADERS[name].split()[2]}); "
                f"columns found: {headers}"
            )
    return rows


def decode(raw: bytes) -> str:
    """UTF-8 with or without a mark, UTF-16 with one, else the Cyrillic Windows code page that Excel writes."""
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return raw.decode("utf-16", "replace")
    for encoding in TEXT_ENCODINGS:
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    return raw.decode("latin-1")


def csv_rows(file: str, text: str) -> list[Row]:
    header_line = text.lstrip().splitlines()[0]
    separator = max("\t;,", key=lambda sign: re.sub(r'"[^"]*"', "", header_line).count(sign))
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    headers: list[str] = []
    rows = []
    try:
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if not headers:
                headers = [cell.strip() for cell in cells]
                continue
            if len(cells) > len(headers) and any(cell.strip() for cell in cells[len(headers) :]):
                raise CatalogueError(
                    f"{file} line {reader.line_num}: {len(cells)} cells, but {len(headers)} columns; "
                    f"put a value that holds {separator!r} in double quotes"
                )
            pairs = [(header, cell.strip()) for header, cell in zip(headers, cells, strict=False)]
            rows.append(row_of(f"line {reader.line_num}", pairs))
    except csv.Error as error:
        raise CatalogueError(
            f"{file} line {reader.line_num}: {error}; is a double quote left open?"
        ) from None
    return rows


def json_rows(file: str, text: str) -> list[Row]:
    """A list of products, or `{"products": [...]}`; a product may hold `variants` and `attributes`."""
    try:
        parsed = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise CatalogueError(f"{file} line {error.lineno}, column {error.colno}: {error.msg}") from None
    products = parsed.get("products") if isinstance(parsed, dict) else parsed
    if not isinstance(products, list) or not all(isinstance(product, dict) for product in products):
        raise CatalogueError(f'{file}: expected a list of products, or an object {{"products": [...]}}')
    rows: list[Row] = []

    def add(product: dict[str, Any], place: str, parent_sku: Any) -> None:
        nested = product.get("attributes") if isinstance(product.get("attributes"), dict) else {}
        flat = {key: value for key, value in product.items() if key not in ("variants", "attributes")} | (
            nested or {}
        )
        if parent_sku is not None:
            flat.setdefault("parent_sku", parent_sku)
        row = row_of(place, list(flat.items()))
        rows.append(row)
        for number, variant in enumerate(product.get("variants") or [], start=1):
            add(variant, f"{place}, variant {number}", row.fields.get("sku"))

    for number, product in enumerate(products, start=1):
        add(product, f"product {number}", None)
    return rows


def row_of(place: str, pairs: list[tuple[str, Any]]) -> Row:
    row = Row(place)
    option_parts: dict[str, dict[str, str]] = {}
    for header, value in pairs:
        name = normalised(header)
        option = OPTION_HEADER.fullmatch(name)
        if option:
            part = "value" if option[2] in ("value", "значение") else "name"
            option_parts.setdefault(option[1], {})[part] = str(value)
            continue
        if name in OPTIONS_HEADERS and isinstance(value, dict):
            row.options += [(str(key), str(one)) for key, one in value.items() if one not in (None, "")]
            continue
        known = FIELD_BY_HEADER.get(name) or FIELD_BY_HEADER.get(re.sub(r"_\d+$", "", name))
        row.columns[known or label_of(header)] = header
        if value is None or value == "":
            continue
        if known == "images" and known in row.fields:
            row.fields[known] = [*as_list(row.fields[known]), *as_list(value)]
        elif known:
            row.fields.setdefault(known, value)
        elif label_of(header):
            row.extra[label_of(header)] = value
    row.options += [
        (part["name"], part["value"])
        for _, part in sorted(option_parts.items())
        # Shopify writes the option Title with the value "Default Title" for products without options.
        if part.get("name") and part.get("value") and part["value"] != "Default Title"
    ]
    return row


def normalised(header: str) -> str:
    return re.sub(r"[\W_]+", "_", header.casefold().replace("ё", "е")).strip("_")


def label_of(header: str) -> str:
    """A header as the label of an attribute: Latin snake_case."""
    latin = "".join(LATIN.get(sign, sign) for sign in header.casefold())
    return re.sub(r"[^a-z0-9]+", "_", latin).strip("_")


def as_list(value: Any) -> list[str]:
    """Several values in one cell are separated by |, or by line breaks."""
    if isinstance(value, list):
        texts = [
            " > ".join(map(str, entry)) if isinstance(entry, list) else str(entry).strip() for entry in value
        ]
        return [text for text in texts if text]
    return [
        part.strip()
        for part in re.split(r"[|\n]+|,\s*(?=https?://)|;\s*(?=https?://)", str(value))
        if part.strip()
    ]


def as_number(value: Any) -> float:
    """`1299.50`, `1 299,50`, `1.299,50`, `12,50 ₽`, `$1,299`. Raises ValueError."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    text = re.sub(r"[\s\u00a0\u202f'’]|[^\d.,\-]", "", str(value)).strip(".,")
    if "," in text and "." in text:
        decimal = "," if text.rfind(",") > text.rfind(".") else "."
        text = text.replace("." if decimal == "," else ",", "").replace(decimal, ".")
    elif re.fullmatch(r"-?\d{1,3}(,\d{3})+", text):
        text = text.replace(",", "")
    elif text.count(".") > 1:
        text = text.replace(".", "")
    else:
        text = text.replace(",", ".")
    return float(text)


def as_bool(value: Any) -> bool:
    """Raises ValueError."""
    if isinstance(value, bool):
        return value
    word = str(value).strip().casefold()
    if word in ("1", "true", "yes", "y", "да", "ha", "+", "x"):
        return True
    if word in ("0", "false", "no", "n", "нет", "yo'q", "-"):
        return False
    raise ValueError(word)
