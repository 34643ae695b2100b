"""A user's own catalogue file becomes a Plytix account (sandbox/README.md)."""

import json
from pathlib import Path
from typing import Any

import pytest
from sandbox_client import SandboxClient

SHOP = """Артикул;Название;Цена;Категория;Родитель;Цвет;Размер;Картинки;Страна;Вес, кг;Остаток
Р-1;Рубашка «Самарканд»;;Одежда > Рубашки;;;;;Узбекистан;1,5;
Р-1-К-M;Рубашка «Самарканд» красная;1 299,50;;Р-1;Красный;M;https://img.example/a b.png|https://img.example/b.png;Узбекистан;1,5;10
Р-1-К-L;Рубашка «Самарканд» красная;1 399,50;;Р-1;Красный;L;;Узбекистан;1,5;10
М-2;Молоток;12,5 ₽;Инструменты|Распродажа;;;;https://img.example/m.png;Турция;2;3
Б-1-40;Ботинки «Хива» 40;99;;Б-1;Чёрный;40;https://img.example/s.png;Турция;2;3
Б-1-41;Ботинки «Хива» 41;98;;Б-1;Чёрный;41;https://img.example/s.png;Турция;2;3
"""


def load(sandbox: SandboxClient, path: Path) -> Any:
    return sandbox.control("POST", "/plytix/load", {"path": str(path)})


def refusal(sandbox: SandboxClient, path: Path) -> str:
    answer = sandbox.call("POST", "/_control/plytix/load", json={"path": str(path)})
    assert answer.status_code == 400
    message: str = answer.json()["error"]
    return message


def products(sandbox: SandboxClient) -> dict[str, Any]:
    return {product["sku"]: product for product in sandbox.control("GET", "/plytix/products")["products"]}


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    path = tmp_path / "shop.csv"
    path.write_text(SHOP, encoding="utf-8-sig")
    return path


def test_a_russian_spreadsheet_becomes_products_ready_for_the_web(sandbox: SandboxClient, shop: Path) -> None:
    answer = load(sandbox, shop)
    assert (answer["products"], answer["variants"], answer["categories"], answer["images"]) == (3, 4, 4, 4)
    found = products(sandbox)
    for sku in ("Р-1", "М-2", "Б-1"):
        assert found[sku]["status"] == "Completed"
        assert found[sku]["attributes"]["show_on_web"] is True
        assert found[sku]["attributes"]["web_completeness"] == 100
    assert found["Р-1"]["attributes"]["price"] == 1299.5
    assert found["М-2"]["attributes"]["price"] == 12.5
    assert found["Б-1"]["label"] == "Ботинки «Хива»"
    assert found["Р-1-К-L"]["attributes"]["color"] == "Красный"
    assert found["Р-1-К-L"]["attributes"]["size"] == "L"


def test_what_was_loaded_is_served_by_the_api(sandbox: SandboxClient, shop: Path) -> None:
    load(sandbox, shop)
    row = sandbox.by_sku(
        "Р-1-К-M", "attributes.strana", "attributes.weight_g", "attributes.gallery", "categories"
    )
    assert row["attributes"]["strana"] == "Узбекистан"
    assert row["attributes"]["weight_g"] == 1500
    paths = {category["id"]: category["path"] for category in sandbox.small("categories/product", "path")}
    assert paths[row["categories"][0]["id"]] == ["Одежда", "Рубашки"]
    urls = {asset["id"]: asset["url"] for asset in sandbox.small("assets", "url")}
    assert urls[row["attributes"]["gallery"][0]] == "https://img.example/b.png"
    assert "https://img.example/a b.png" in urls.values()
    types = {
        row["label"]: row
        for row in sandbox.small("attributes/product", "label", "name", "type_class", "options")
    }
    assert types["strana"]["type_class"] == "DropdownAttribute"
    assert types["strana"]["name"] == "Страна"
    assert "Красный" in types["color"]["options"]


def test_further_columns_get_the_type_that_fits_their_values(sandbox: SandboxClient, tmp_path: Path) -> None:
    path = tmp_path / "types.csv"
    columns = {
        "Гарантия": ("12", "24"), "Код ТНВЭД": ("0123", "0456"), "Длина": ("1,5", "2"), "Новинка": ("да", "нет"),
        "Дата": ("2025-01-01", "2025-02-01"), "Сайт": ("https://a.example", "https://b.example"),
        "Метки": ("a|b", "b|c"), "Страница": ("<p>a</p>", "<b>b</b>"), "Заметка": ("x" * 201, "y"),
    }  # fmt: skip
    rows = [";".join(["sku", "name", *columns])]
    rows += [
        ";".join([f"S{place}", "N", *(values[place] for values in columns.values())]) for place in (0, 1)
    ]
    path.write_text("\n".join(rows), encoding="utf-8")
    load(sandbox, path)
    types = {
        row["name"]: row["type_class"] for row in sandbox.small("attributes/product", "name", "type_class")
    }
    assert [types[name].removesuffix("Attribute") for name in columns] == [
        "Int", "Text", "Decimal", "Boolean", "Date", "Url", "MultiSelect", "Html", "Multiline",
    ]  # fmt: skip
    assert products(sandbox)["S1"]["attributes"]["novinka"] is False


def test_loading_again_moves_only_what_differs(sandbox: SandboxClient, shop: Path) -> None:
    load(sandbox, shop)
    before = products(sandbox)
    again = load(sandbox, shop)
    assert (again["new"], again["deleted"]) == (0, 0)
    assert products(sandbox) == before
    shop.write_text(SHOP.replace("12,5 ₽", "13,5 ₽").replace("Б-1-41", "Б-1-42"), encoding="utf-8")
    answer = load(sandbox, shop)
    assert (answer["new"], answer["deleted"]) == (1, 1)
    after = products(sandbox)
    moved = {sku for sku in after if sku in before and after[sku]["modified"] != before[sku]["modified"]}
    assert moved == {"М-2"}
    assert after["М-2"]["id"] == before["М-2"]["id"]


def test_the_next_day_comes_for_a_loaded_catalogue_too(sandbox: SandboxClient, shop: Path) -> None:
    load(sandbox, shop)
    counts = sandbox.control("POST", "/plytix/next-day", {"changes": {"price": 1, "new_product": 1}})[
        "counts"
    ]
    assert counts == {"price": 1, "new_product": 1}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1251"])
@pytest.mark.parametrize("separator", [";", ",", "\t"])
def test_encodings_and_separators_are_recognised(
    sandbox: SandboxClient, tmp_path: Path, encoding: str, separator: str
) -> None:
    path = tmp_path / "shop.csv"
    lines = [["sku", "Название", "Price"], ["А-1", f'"Стол{separator} большой"', '"10,5"']]
    path.write_text("\r\n".join(separator.join(cells) for cells in lines), encoding=encoding, newline="")
    load(sandbox, path)
    assert products(sandbox)["А-1"]["label"] == f"Стол{separator} большой".strip()
    assert products(sandbox)["А-1"]["attributes"]["price"] == 10.5


def test_shopify_rows_are_grouped_by_handle_and_option_names(sandbox: SandboxClient, tmp_path: Path) -> None:
    path = tmp_path / "shopify.csv"
    path.write_text(
        "Handle,Title,Option1 Name,Option1 Value,Option2 Name,Option2 Value,Variant SKU,Variant Price,Image Src\n"
        "shirt,Shirt,Color,Red,Size,S,S-R-S,10.00,https://img.example/1.png\n"
        "shirt,,,Red,,M,S-R-M,11.00,\n"
        "mug,Mug,Title,Default Title,,,MUG,5.00,https://img.example/2.png\n"
    )
    answer = load(sandbox, path)
    assert (answer["products"], answer["variants"]) == (2, 2)
    found = products(sandbox)
    assert found["S-R-S"]["attributes"]["color"] == "Red"
    assert found["S-R-S"]["parent_id"] == found["shirt"]["id"]
    assert found["MUG"]["parent_id"] is None


def test_a_json_catalogue_may_nest_variants_options_and_attributes(
    sandbox: SandboxClient, tmp_path: Path
) -> None:
    path = tmp_path / "shop.json"
    catalogue = {
        "products": [
            {
                "sku": "B", "name": "Boot", "price": 80, "images": ["https://img.example/b.png"],
                "categories": [["Shoes", "Boots"], "Sale"], "attributes": {"waterproof": True, "seo_title": "Boots!"},
                "variants": [{"sku": "B-40", "options": {"Shoe size": "40"}}, {"sku": "B-41", "shoe_size": 41}],
            }
        ]
    }  # fmt: skip
    path.write_text(json.dumps(catalogue))
    answer = load(sandbox, path)
    assert answer["notes"] == [
        "descriptions made from the name: 1",
        "variants that take the price of their parent: 2",
    ]
    found = products(sandbox)
    assert found["B-41"]["attributes"]["shoe_size"] == "41"
    assert found["B-41"]["attributes"]["price"] == 80
    assert found["B"]["attributes"]["waterproof"] is True
    assert found["B"]["attributes"]["seo_title"] == "Boots!"
    families = {row["id"]: row["name"] for row in sandbox.small("product_families", "name")}
    assert families[found["B"]["family_id"]] == "Footwear"


def test_every_error_names_line_and_column_and_nothing_changes(
    sandbox: SandboxClient, tmp_path: Path
) -> None:
    before = products(sandbox)
    path = tmp_path / "bad.csv"
    path.write_text(
        "Артикул;Название;Цена;Родитель;Картинки;Статус;Категория\n"
        "А;Стол;дорого;;ftp://x;;\n"
        "А;Стул;1;;;;\n"
        ";Шкаф;1;;;;\n"
        "X;Y;1;Z;;;\n"
        "Z;Y;1;X;;;\n"
        "С;Полка;1;;;готово;\n"
        "К;Ковёр;1;;;;a>b>c>d>e>f>g\n",
        encoding="utf-8",
    )
    message = refusal(sandbox, path)
    assert "bad.csv was not loaded, nothing has changed" in message
    for expected in (
        "line 2, column «Цена»: 'дорого' is not a number; write it like 1299.50",
        "line 2, column «Картинки»: 'ftp://x' is no URL",
        "line 3, column «Артикул»: 'А' is on line 2 already",
        "line 4, column «Артикул»: no SKU",
        "line 5, column «Родитель»: 'X' is its own ancestor",
        "line 7, column «Статус»: 'готово' is no status",
    ):
        assert expected in message
    assert products(sandbox) == before


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("empty.csv", "", "empty.csv is empty"),
        ("header.csv", "sku,name\n", "has no products"),
        ("nosku.csv", "title,price\nA,1\n", "no column for the sku"),
        ("noname.csv", "sku,price\nA,1\n", "no column for the name"),
        ("cells.csv", "sku,name\nA,B,C\n", "line 2: 3 cells, but 2 columns"),
        ("broken.json", '[{"sku": "A",]', "broken.json line 1"),
        ("shape.json", '{"items": []}', 'an object {"products": [...]}'),
        (
            "deep.csv",
            "sku,name,parent\nA,A,\nB,B,A\nC,C,B\nD,D,C\n",
            "line 5, column «parent»: a fourth level",
        ),
        ("path.csv", "sku,name,category\nA,A,a>b>c>d>e>f>g\n", "line 2, column «category»: 7 levels"),
        ("long.csv", f"sku,name\n{'A' * 101},B\n", "line 2, column «sku»: a SKU has at most 100 characters"),
    ],
)
def test_a_file_that_cannot_be_understood_says_why(
    sandbox: SandboxClient, tmp_path: Path, name: str, text: str, expected: str
) -> None:
    path = tmp_path / name
    path.write_text(text)
    assert expected in refusal(sandbox, path)


def test_a_missing_file_is_named(sandbox: SandboxClient, tmp_path: Path) -> None:
    assert "nowhere.csv: No such file" in refusal(sandbox, tmp_path / "nowhere.csv")


def test_thousands_of_variants_load(sandbox: SandboxClient, tmp_path: Path) -> None:
    path = tmp_path / "many.csv"
    rows = ["sku,name,price,parent,Цвет,Размер,фото"]
    for number in range(600):
        rows.append(f"П-{number},Товар {number},,,,,https://img.example/{number}.jpg")
        rows += [
            f"П-{number}-{size},Товар {number} {size},{number + 1}.5,П-{number},Синий,{size},"
            for size in "SMLXY"
        ]
    path.write_text("\n".join(rows), encoding="utf-8")
    answer = load(sandbox, path)
    assert (answer["products"], answer["variants"]) == (600, 3000)
