"""Shipped tools for tests: contracts to inherit, hypothesis strategies, small rendered data."""
