"""How fast Karvon is, against floors written by hand. `python -m benchmarks --help`."""
