"""Product documents of about 2 KB, shaped like rows of a Plytix search; the same ones for the same numbers."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

Document = dict[str, Any]

_TEXT = """
ember shelf linen birch canvas anchor plain warm quiet woven copper light heavy cotton summer winter field river stone
paper garden kitchen travel morning evening классический хлопок зимний дом сад кожа
"""
_WORDS = _TEXT.split()


def product_documents(count: int) -> list[Document]:
    """Documents 0 to `count` - 1."""
    return [product_document(number) for number in range(count)]


def product_document(number: int) -> Document:
    """One product: flat fields, a bag of 26 attributes, and six nested lists."""
    chance = random.Random(number)
    words = chance.choices(_WORDS, k=70)
    identity = f"{number:024x}"
    day = f"2026-{number % 12 + 1:02}-{number % 28 + 1:02}"
    return {
        "id": identity,
        "sku": f"SKU-{number:07}",
        "label": " ".join(words[:4]),
        "status": "Completed",
        "created": f"{day}T08:00:00.000000+00:00",
        "modified": f"{day}T09:{number % 60:02}:00.123000+00:00",
        "gtin": f"{4000000000000 + number}",
        "num_variations": 3,
        "thumbnail": {"id": f"{number + 7:024x}"},
        "categories": [{"id": f"{number % 40 + place:024x}", "name": words[place]} for place in range(2)],
        "assets": [
            {"id": f"{number * 4 + place:024x}", "filename": f"{words[place]}.jpg"} for place in range(4)
        ],
        "relationships": [
            {
                "relationship_id": "5c483671fe4bdd2be9ffe0a3",
                "relationship_label": "goes_well_with",
                "related_products": [
                    {"product_id": f"{chance.randrange(100_000):024x}", "quantity": 1} for _ in range(2)
                ],
            }
        ],
        "attributes": {
            "web_title": " ".join(words[4:12]),
            "web_description": f"<p>{' '.join(words[10:55])}</p>",
            "short_description": " ".join(words[55:]),
            "show_on_web": True,
            "price": round(chance.uniform(5, 500), 2),
            "compare_at_price": round(chance.uniform(5, 500), 2),
            "stock": chance.randrange(500),
            "brand": words[0],
            "material": words[1:4],
            "color": words[5],
            "weight_g": chance.randrange(50, 5000),
            "release_date": day,
            "main_image": [{"id": f"{number * 4:024x}"}],
            **{f"spec_{place:02}": words[place] for place in range(12)},
            "manual_url": f"https://files.example.com/manuals/{identity}.pdf",
        },
    }


def some_changed(documents: Sequence[Document], every: int) -> list[Document]:
    """The same documents with another price in each `every`-th."""
    return [
        {**one, "attributes": {**one["attributes"], "price": 1.5}} if number % every == 0 else one
        for number, one in enumerate(documents)
    ]
