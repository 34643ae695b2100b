"""Webflow: the store (`webflow_store`) with products, SKUs, stock and categories."""
