"""Regions, categories, goods and organisations of the made-up exchange; all follow from numbers."""

from __future__ import annotations

from dataclasses import dataclass

from sandbox.chance import throws

UZ, RU = 0, 1
REGIONS: tuple[tuple[str, str], ...] = (
    ("Qoraqalpog‘iston Respublikasi", "Республика Каракалпакстан"), ("Andijon viloyati", "Андижанская область"),
    ("Buxoro viloyati", "Бухарская область"), ("Jizzax viloyati", "Джизакская область"),
    ("Qashqadaryo viloyati", "Кашкадарьинская область"), ("Navoiy viloyati", "Навоийская область"),
    ("Namangan viloyati", "Наманганская область"), ("Samarqand viloyati", "Самаркандская область"),
    ("Surxondaryo viloyati", "Сурхандарьинская область"), ("Sirdaryo viloyati", "Сырдарьинская область"),
    ("Toshkent viloyati", "Ташкентская область"), ("Farg‘ona viloyati", "Ферганская область"),
    ("Xorazm viloyati", "Хорезмская область"), ("Toshkent shahri", "Город Ташкент"),
)  # fmt: skip
_FIELDS: tuple[tuple[str, str, tuple[tuple[str, str, str], ...], int], ...] = (
    (
        "Kompyuter texnikasi",
        "Компьютерная техника",
        (("Noutbuk", "Ноутбук", "шт"), ("Monitor", "Монитор", "шт"), ("Printer", "Принтер", "шт")),
        2_500_000,
    ),
    (
        "Idora mollari",
        "Канцелярские товары",
        (("Qog‘oz A4", "Бумага А4", "пачка"), ("Ruchka", "Ручка", "шт"), ("Papka", "Папка", "шт")),
        12_000,
    ),
    (
        "Oziq-ovqat",
        "Продукты питания",
        (("Guruch", "Рис", "кг"), ("Un", "Мука", "кг"), ("O‘simlik yog‘i", "Масло растительное", "л")),
        15_000,
    ),
    (
        "Qurilish mollari",
        "Строительные материалы",
        (("Sement M400", "Цемент М400", "т"), ("G‘isht", "Кирпич", "шт"), ("Bo‘yoq", "Краска", "кг")),
        90_000,
    ),
    (
        "Tibbiyot buyumlari",
        "Медицинские изделия",
        (("Shprits", "Шприц", "шт"), ("Qo‘lqop", "Перчатки", "пара"), ("Bint", "Бинт", "шт")),
        4_000,
    ),
    ("Mebel", "Мебель", (("Stol", "Стол", "шт"), ("Stul", "Стул", "шт"), ("Javon", "Шкаф", "шт")), 700_000),
    (
        "Yoqilg‘i",
        "Топливо",
        (
            ("Benzin AI-92", "Бензин АИ-92", "л"),
            ("Dizel", "Дизельное топливо", "л"),
            ("Ko‘mir", "Уголь", "т"),
        ),
        14_000,
    ),
    (
        "Kiyim-bosh",
        "Спецодежда",
        (("Xalat", "Халат", "шт"), ("Etik", "Сапоги", "пара"), ("Kaska", "Каска", "шт")),
        80_000,
    ),
    (
        "Xo‘jalik mollari",
        "Хозяйственные товары",
        (("Kir sovuni", "Мыло хозяйственное", "шт"), ("Chelak", "Ведро", "шт"), ("Supurgi", "Веник", "шт")),
        9_000,
    ),
    (
        "Avto ehtiyot qismlar",
        "Автозапчасти",
        (
            ("Shina", "Шина", "шт"),
            ("Akkumulyator", "Аккумулятор", "шт"),
            ("Moy filtri", "Фильтр масляный", "шт"),
        ),
        350_000,
    ),
    (
        "Xizmatlar",
        "Услуги",
        (
            ("Tozalash xizmati", "Услуга по уборке", "услуга"),
            ("Ta’mirlash", "Ремонт", "услуга"),
            ("Tashish", "Перевозка", "услуга"),
        ),
        1_500_000,
    ),
)
_BRANCHES = (
    ("", ""), ("maktablar uchun", "для школ"), ("shifoxonalar uchun", "для больниц"), ("import", "импортные"),
    ("mahalliy", "местные"), ("maxsus", "специальные"), ("texnik", "технические"), ("boshqa", "прочие"),
)  # fmt: skip
_KINDS_OF_BUYER = (
    ("-sonli maktab", "-школа"),
    ("-sonli shifoxona", "-больница"),
    (" tuman hokimligi", " хокимият"),
    ("-sonli bog‘cha", "-детский сад"),
)
_SURNAMES = ("Karimov", "Rahimova", "To‘xtayev", "Saidov", "Yusupova", "Aliyev", "Nazarova", "Ergashev")
_PATRONYMICS = ("Sobir o‘g‘li", "Salim qizi", "Botirovich", "Ravshanovna")
CATEGORY_COUNT = len(_FIELDS) * len(_BRANCHES)


@dataclass(frozen=True, slots=True)
class Good:
    """A product of the classifier. `price` is its usual unit price in whole sums, a multiple of 50."""

    code: str
    names: tuple[str, str]
    unit: str
    price: int
    category: int


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody made up, whose data must never be landed."""

    name: str
    phone: str
    email: str
    pinfl: str


@dataclass(frozen=True, slots=True)
class Organisation:
    """A buyer or supplier; individuals ("YTT") have no INN in what the exchange shows."""

    name: str
    inn: str | None
    region: int


# Pairs of letters before single ones.
_LETTERS = {"o‘": "ў", "g‘": "ғ", "sh": "ш", "ch": "ч", "yo": "ё", "yu": "ю", "ya": "я"} | dict(
    zip("abdefghijklmnopqrstuvxyz’", "абдефгҳижклмнопқрстувхйзъ", strict=True)
)


def in_cyrillic(text: str) -> str:
    """Uzbek as many still write it."""
    for latin, cyrillic in _LETTERS.items():
        text = text.replace(latin, cyrillic).replace(latin.capitalize(), cyrillic.upper())
    return text


def person_of(number: int) -> Person:
    """One of many who buy, sell and sign."""
    surname = _SURNAMES[number % len(_SURNAMES)]
    return Person(
        f"{surname} Namuna {_PATRONYMICS[number % len(_PATRONYMICS)]}",
        f"+99890{1_000_000 + number * 7919 % 8_999_999}",
        f"{surname.lower().replace('‘', '')}.{number}@example.uz",
        str(30_000_000_000_000 + number * 1_000_003),
    )


def category_id(index: int) -> int:
    return 100_000 + index * 1_013


def category_name(index: int, language: int) -> str:
    field, branch = _FIELDS[index // len(_BRANCHES)], _BRANCHES[index % len(_BRANCHES)]
    return f"{field[language]} {branch[language]}".strip()


def good(seed: object, category: int, draw: int) -> Good:
    """One of twelve goods of a category."""
    field = category // len(_BRANCHES)
    uz, ru, unit = _FIELDS[field][2][draw % 3]
    variant = draw // 3 % 4
    number = category * 12 + draw % 3 * 4 + variant
    nature = throws(seed, "thing", number)
    price = max(1, _FIELDS[field][3] * (60 + nature[0] % 90) // 100 // 50) * 50
    code = f"{10 + field}.{10 + category % 8}.{11 + draw % 3}.{100 + variant}-{number:05}"
    return Good(code, (f"{uz} №{variant + 1}", f"{ru} №{variant + 1}"), unit, price, category)


def buyer(seed: object, number: int) -> Organisation:
    dice = throws(seed, "buyer", number)
    return Organisation(
        f"{number}{_KINDS_OF_BUYER[dice[0] % 4][0]}", str(200_000_000 + number * 137), dice[1] % len(REGIONS)
    )


def supplier(seed: object, number: int) -> Organisation:
    dice = throws(seed, "supplier", number)
    if dice[0] % 10 < 4:
        return Organisation(
            f"YTT {_SURNAMES[dice[1] % len(_SURNAMES)]} A.{number}", None, dice[2] % len(REGIONS)
        )
    return Organisation(
        f"«{_SURNAMES[dice[1] % len(_SURNAMES)]} Savdo {number}» MChJ",
        str(300_000_000 + number * 211),
        dice[2] % len(REGIONS),
    )
