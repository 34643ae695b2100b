"""`python -m pipelines.sources.uzum`: load it alone, without the products: `karvon crawl run` walks those."""

from karvon.connections import uzum_connections
from pipelines.sources.command_line import command_for
from pipelines.sources.uzum import SOURCE

if __name__ == "__main__":
    command_for(SOURCE, uzum_connections)()
