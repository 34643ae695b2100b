"""A team rehearses with its own catalogue: Cyrillic names, thousands of variants, a spreadsheet's separators."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from karvon_command import Karvon
from shop_and_view import differences

COLOURS = ("Красный", "Синий", "Белый", "Чёрный", "Зелёный")
SIZES = ("XS", "S", "M", "L", "XL")
HEADER = (
    "Артикул",
    "Родитель",
    "Название",
    "Описание",
    "Цена",
    "Остаток",
    "Цвет",
    "Размер",
    "Категория",
    "Фото",
    "Состав",
)


def catalogue(file: Path, products: int, price: str = "190,50") -> int:
    """Write the file; returns the number of variants."""
    with file.open("w", encoding="utf-8-sig", newline="") as target:
        rows = csv.writer(target, delimiter=";")
        rows.writerow(HEADER)
        for number in range(products):
            sku, name = f"ПЛ-{number:04d}", f"Платье «Гулнора» №{number}"
            picture, path = (
                f"https://files.example.com/фото {number}.jpg",
                f"Одежда > Платья > Серия {number % 7}",
            )
            rows.writerow((sku, "", name, "<p>Шёлк</p>", "", "", "", "", path, picture, "100% шёлк"))
            for colour in COLOURS:
                for size in SIZES:
                    rows.writerow(
                        (f"{sku}-{colour[:2]}-{size}", sku, f"{name} {colour} {size}", "", price, "7", colour, size,
                         path, picture, "100% шёлк")
                    )  # fmt: skip
    return products * len(COLOURS) * len(SIZES)


def rehearse(karvon: Karvon, file: Path, products: int) -> None:
    variants = catalogue(file, products)
    loaded = karvon("sandbox", "load", str(file))
    assert loaded.status == 0, loaded.output
    assert f"{variants} variants" in loaded.output
    first = karvon("run", seconds=900)
    assert first.status == 0, first.output
    assert differences(karvon) == []
    skus = [sku for product in karvon.sandbox.shop()["products"] for sku in product["skus"]]
    assert sum(str(sku["fields"]["sku"]).startswith("ПЛ-") for sku in skus) == variants
    second = karvon("run")
    assert second.status == 0, second.output
    assert " 0 changes" in second.line("plan and apply")


@pytest.mark.slow
def test_a_rehearsal_starts_the_shop_over_and_a_changed_file_moves_only_its_changes(
    karvon: Karvon, tmp_path: Path
) -> None:
    file = tmp_path / "каталог.csv"
    rehearse(karvon, file, products=3)
    file.write_text(
        file.read_text("utf-8-sig").replace("190,50;7;Красный;XS", "175,00;7;Красный;XS"), "utf-8-sig"
    )
    assert karvon("sandbox", "load", "--keep-shop", str(file)).status == 0
    karvon.sandbox.forget_requests()
    done = karvon("run")
    assert done.status == 0, done.output
    assert len(karvon.sandbox.writes()) == 3
    assert differences(karvon) == []


@pytest.mark.slow
def test_a_file_with_an_error_changes_nothing_and_says_where(karvon: Karvon, tmp_path: Path) -> None:
    file = tmp_path / "wrong.csv"
    file.write_text("SKU,Name,Price\nA-1,First,12.50\n,Second,1\n")
    done = karvon("sandbox", "load", str(file))
    assert done.status == 1
    assert "line 3" in done.output
    assert " 0 changes" in karvon("run").line("plan and apply")


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_several_thousand_cyrillic_variants(fresh: Karvon, tmp_path: Path) -> None:
    fresh.serve()
    rehearse(fresh, tmp_path / "каталог.csv", products=120)
