"""Torch blocks that several families share, and torch twins of `masks/`. Knows no family and no checkpoint."""
