"""The Plytix accounts of one sandbox; each world is made when it is first asked for and found empty."""

import itertools

from sandbox.plytix.default_world import fill_world
from sandbox.plytix.search import ProductSearch
from sandbox.plytix.world import World
from sandbox.state import Document, State

NAMED_ACCOUNT_PRODUCTS = 40


class Worlds:
    """`products` is the size of the account `default`; other accounts begin with at most 40."""

    def __init__(self, state: State, *, products: int, seed: int) -> None:
        self.state = state
        self._products = products
        self._seed = seed
        self._opened: dict[str, tuple[World, ProductSearch]] = {}

    def of(self, account: str) -> World:
        return self._open(account)[0]

    def search_of(self, account: str) -> ProductSearch:
        return self._open(account)[1]

    def reset(self, account: str, *, products: int | None = None, seed: int | None = None) -> World:
        """Throw the account's world away and make a new one."""
        world = World(self.state, account)
        self.state.drop(f"plytix/{account}/")
        size, world_seed = self._beginning(account)
        fill_world(
            world, products=size if products is None else products, seed=world_seed if seed is None else seed
        )
        return self.of(account)

    def asset(self, asset_id: str) -> Document | None:
        """From whichever account has it: file URLs carry no account."""
        # Asking which accounts there are costs a scan, and nearly all files are of the first.
        for account in itertools.chain(["default"], self.state.accounts("plytix")):
            asset = self.state.collection(f"plytix/{account}/assets").get(asset_id)
            if asset is not None:
                return asset
        return None

    def _open(self, account: str) -> tuple[World, ProductSearch]:
        if account not in self._opened:
            world = World(self.state, account)
            self._opened[account] = world, ProductSearch(world)
        world, search = self._opened[account]
        # The marker is written last, so that a world whose making was killed is made again.
        if "world" not in world.about:
            self.state.drop(f"plytix/{account}/")
            size, seed = self._beginning(account)
            fill_world(world, products=size, seed=seed)
        return world, search

    def _beginning(self, account: str) -> tuple[int, int | str]:
        if account == "default":
            return self._products, self._seed
        return min(self._products, NAMED_ACCOUNT_PRODUCTS), f"{self._seed}/{account}"
