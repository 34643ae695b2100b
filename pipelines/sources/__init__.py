"""One folder per source: what its resources are and how they are fetched."""
