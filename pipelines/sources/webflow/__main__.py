"""`python -m pipelines.sources.webflow`: load it alone."""

from karvon.connections import webflow_connections
from pipelines.sources.command_line import command_for
from pipelines.sources.webflow import SOURCE

if __name__ == "__main__":
    command_for(SOURCE, webflow_connections)()
