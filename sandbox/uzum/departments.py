"""What the made-up market sells: departments with their category chain, words in two languages and price range."""

from dataclasses import dataclass
from typing import Any

Words = tuple[str, str]
"""The same in Uzbek (Latin) and in Russian."""


@dataclass(frozen=True)
class Department:
    """One leaf of the catalogue. `chain` runs from root to leaf; a fourth level is not in the category tree."""

    chain: tuple[Words, ...]
    noun: Words
    price: tuple[int, int]
    options: str
    """Which characteristics its goods have: none, colour, clothes (colour and size), memory (colour and memory)."""


_ELECTRONICS = ("Elektronika", "Электроника")
_CLOTHES = ("Kiyim", "Одежда")
_HOME = ("Uy-ro‘zg‘or", "Товары для дома")
_BEAUTY = ("Go‘zallik", "Красота")
_CHILDREN = ("Bolalar tovarlari", "Детские товары")
_PHONES = ("Smartfonlar va telefonlar", "Смартфоны и телефоны")
_WOMEN = ("Ayollar kiyimi", "Женская одежда")

DEPARTMENTS: tuple[Department, ...] = (
    Department(
        (_ELECTRONICS, _PHONES, ("Smartfonlar", "Смартфоны"), ("Android smartfonlar", "Смартфоны Android")),
        ("Smartfon", "Смартфон"),
        (1_200_000, 9_000_000),
        "memory",
    ),
    Department(
        (_ELECTRONICS, _PHONES, ("Aksessuarlar", "Аксессуары"), ("G‘iloflar", "Чехлы")),
        ("Telefon g‘ilofi", "Чехол для телефона"),
        (15_000, 90_000),
        "colour",
    ),
    Department(
        (_ELECTRONICS, ("Audiotexnika", "Аудиотехника"), ("Quloqchinlar", "Наушники")),
        ("Simsiz quloqchin", "Беспроводные наушники"),
        (60_000, 900_000),
        "colour",
    ),
    Department(
        (_ELECTRONICS, ("Televizorlar", "Телевизоры"), ("Kronshteynlar", "Кронштейны")),
        ("Televizor kronshteyni", "Кронштейн для телевизора"),
        (80_000, 600_000),
        "none",
    ),
    Department(
        (_CLOTHES, _WOMEN, ("Futbolkalar", "Футболки"), ("Oversayz futbolkalar", "Футболки оверсайз")),
        ("Ayollar futbolkasi", "Женская футболка"),
        (45_000, 180_000),
        "clothes",
    ),
    Department(
        (_CLOTHES, _WOMEN, ("Ko‘ylaklar", "Платья")),
        ("Yozgi ko‘ylak", "Летнее платье"),
        (120_000, 480_000),
        "clothes",
    ),
    Department(
        (_CLOTHES, ("Erkaklar kiyimi", "Мужская одежда"), ("Shimlar", "Брюки")),
        ("Erkaklar shimi", "Мужские брюки"),
        (110_000, 420_000),
        "clothes",
    ),
    Department(
        (_HOME, ("Oshxona", "Кухня"), ("Choynaklar", "Чайники")),
        ("Elektr choynak", "Электрический чайник"),
        (130_000, 520_000),
        "colour",
    ),
    Department(
        (_HOME, ("Oshxona", "Кухня"), ("Idishlar", "Посуда"), ("Qozonlar", "Казаны")),
        ("Cho‘yan qozon", "Чугунный казан"),
        (150_000, 900_000),
        "none",
    ),
    Department(
        (_HOME, ("To‘qimachilik", "Текстиль"), ("Choyshablar", "Постельное бельё")),
        ("Choyshab to‘plami", "Комплект постельного белья"),
        (140_000, 700_000),
        "colour",
    ),
    Department(
        (_BEAUTY, ("Parvarish", "Уход"), ("Shampunlar", "Шампуни")),
        ("Shampun 400 ml", "Шампунь 400 мл"),
        (18_000, 120_000),
        "none",
    ),
    Department(
        (_BEAUTY, ("Atir-upa", "Парфюмерия"), ("Atirlar", "Духи"), ("Ayollar atirlari", "Женские духи")),
        ("Ayollar atiri 50 ml", "Женские духи 50 мл"),
        (90_000, 1_400_000),
        "none",
    ),
    Department(
        (_CHILDREN, ("O‘yinchoqlar", "Игрушки"), ("Konstruktorlar", "Конструкторы")),
        ("Konstruktor 500 detal", "Конструктор 500 деталей"),
        (70_000, 450_000),
        "none",
    ),
    Department(
        (_CHILDREN, ("Gigiyena", "Гигиена"), ("Tagliklar", "Подгузники")),
        ("Bolalar tagligi 60 dona", "Подгузники 60 штук"),
        (75_000, 240_000),
        "none",
    ),
)

COLOURS: tuple[tuple[int, str, Words], ...] = (
    (-1, "#000000", ("Qora", "Чёрный")), (-5, "#ffffff", ("Oq", "Белый")), (-8, "#ff0000", ("Qizil", "Красный")),
    (-12, "#0000ff", ("Ko‘k", "Синий")), (-17, "#008000", ("Yashil", "Зелёный")), (-11, "#dfc29a", ("Bej", "Бежевый")),
)  # fmt: skip
SIZES = ("XS", "S", "M", "L", "XL", "XXL")
MEMORIES = ("64 GB", "128 GB", "256 GB")
BRANDS = (
    "Artel",
    "Nafis",
    "Samo",
    "Zarhal",
    "Baraka",
    "Oltin",
    "Chorsu",
    "Registon",
    "Turon",
    "Yulduz",
    "Navro‘z",
    "Koinot",
)


def _numbered_categories() -> dict[tuple[Words, ...], int]:
    """Ids by chain; they look like the real ones and never change."""
    ids: dict[tuple[Words, ...], int] = {}
    for department in DEPARTMENTS:
        for depth in range(1, len(department.chain) + 1):
            ids.setdefault(department.chain[:depth], 10_000 + 20 * (len(ids) + 1) + 1_000 * (depth - 1))
    return ids


CATEGORY_IDS = _numbered_categories()


def frozen_amount(category_id: int) -> int:
    """`productAmount`, which did not move in years on the real market either (dossier §1.3)."""
    return 500 + category_id * 7919 % 9000


def category_chain(department: Department, language: int) -> dict[str, object]:
    """Leaf to root, as a product carries it."""
    node: dict[str, object] = {}
    for depth in range(1, len(department.chain) + 1):
        category_id = CATEGORY_IDS[department.chain[:depth]]
        node = {
            "id": category_id, "title": department.chain[depth - 1][language],
            "productAmount": frozen_amount(category_id), "parent": node or None,
        }  # fmt: skip
    return node


def category_tree(language: int) -> list[dict[str, Any]]:
    """Roots with children, three levels deep: the fourth is missing, as on the real market (dossier §1.5)."""
    nodes: dict[tuple[Words, ...], dict[str, Any]] = {}
    for chain, category_id in CATEGORY_IDS.items():
        if len(chain) > 3:
            continue
        title = chain[-1][language]
        path = [1, *(CATEGORY_IDS[chain[:depth]] for depth in range(1, len(chain) + 1))]
        node: dict[str, Any] = {
            "id": category_id,
            "title": title,
            "iconLink": None,
            "children": [],
            "path": path,
        }
        if len(chain) == 1:
            node |= {"icon": "", "iconSvg": "<svg/>"}
        else:
            node |= {"productAmount": frozen_amount(category_id), "adult": False, "eco": False,
                     "seoMetaTag": title, "seoHeader": title}  # fmt: skip
            nodes[chain[:-1]]["children"].append(node)
        nodes[chain] = node
    return [node for chain, node in nodes.items() if len(chain) == 1]
