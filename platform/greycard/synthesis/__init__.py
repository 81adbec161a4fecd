"""Balanced synthetic data from an unbalanced generator: lineages searched on actors, images chosen, shards written."""
