"""Floors and peers: the shortest program that does the same work on the same data. None imports Karvon."""
