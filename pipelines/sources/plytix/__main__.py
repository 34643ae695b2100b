"""`python -m pipelines.sources.plytix`: load it alone."""

from karvon.connections import plytix_connections
from pipelines.sources.command_line import command_for
from pipelines.sources.plytix import SOURCE

if __name__ == "__main__":
    command_for(SOURCE, plytix_connections)()
