"""The world a sandbox account begins with: deterministic by size and seed.

Top-level products cycle through three families; each brings its variants. Every 16th is broken in one of the
ways of `sandbox.plytix.broken`. All times lie before `WORLD_END`, so what happens later is always newer.
"""

from sandbox.plytix.account_basics import fill_categories, fill_schema
from sandbox.plytix.broken import ALWAYS, BREAKAGES
from sandbox.plytix.product_maker import ProductMaker
from sandbox.plytix.world import World

BREAK_EVERY, FIRST_BROKEN = 16, 7


def fill_world(world: World, *, products: int, seed: int | str) -> None:
    """Make the whole account; `products` counts parents and singles, their variants come on top."""
    fill_schema(world)
    fill_categories(world)
    maker = ProductMaker(world, seed)
    for index in range(products):
        maker.make(index)
    _break_some(maker, products)
    maker.relate()
    world.assets.put_many((asset["id"], asset) for asset in maker.assets)
    world.save(maker.products)
    world.about.put("world", {"products": products, "seed": seed, "day": 0, "origin": "default"})


def _break_some(maker: ProductMaker, count: int) -> None:
    for turn, index in enumerate(range(FIRST_BROKEN, count, BREAK_EVERY)):
        _, break_it = BREAKAGES[turn % len(BREAKAGES)]
        break_it(maker, index)
    for index, break_it in ALWAYS:
        if index < count:
            break_it(maker, index)
