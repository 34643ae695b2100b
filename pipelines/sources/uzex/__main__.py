"""`python -m pipelines.sources.uzex`: load it alone; each call reads one slice of every list."""

from karvon.connections import uzex_connections
from pipelines.sources.command_line import command_for
from pipelines.sources.uzex import SOURCE

if __name__ == "__main__":
    command_for(SOURCE, uzex_connections)()
