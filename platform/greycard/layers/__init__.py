"""Blocks that at least three models share."""
