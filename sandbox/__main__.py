"""`python -m sandbox --port 8791 --state-dir .karvon/sandbox`: serve until stopped."""

import argparse
import os
from pathlib import Path

from sandbox.server import (
    DEFAULT_PORT,
    DEFAULT_PRODUCTS,
    DEFAULT_SEED,
    DEFAULT_UZEX_LOTS,
    DEFAULT_UZUM_IDS,
    serve,
)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m sandbox", description=__doc__)
    parser.add_argument("--port", type=int, default=DEFAULT_PORT)
    parser.add_argument("--state-dir", type=Path, required=True, help="where the worlds are kept")
    parser.add_argument("--products", type=int, default=DEFAULT_PRODUCTS, help="size of a world made now")
    parser.add_argument(
        "--uzum-ids", type=int, default=DEFAULT_UZUM_IDS, help="product ids of a market made now"
    )
    parser.add_argument(
        "--uzex-lots", type=int, default=DEFAULT_UZEX_LOTS, help="auctions of an exchange made now"
    )
    parser.add_argument("--seed", type=int, default=DEFAULT_SEED)
    parser.add_argument("--exit-with", type=int, metavar="PID", help="stop when this process is gone")
    given = parser.parse_args()
    # The worlds have made-up persons and tokens, which readers take for real ones.
    os.umask(0o077)
    serve(
        given.state_dir, given.port, products=given.products, seed=given.seed,
        uzum_ids=given.uzum_ids, uzex_lots=given.uzex_lots, exit_with=given.exit_with,
    )  # fmt: skip


if __name__ == "__main__":
    main()
