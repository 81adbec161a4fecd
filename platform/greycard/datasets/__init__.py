"""Data sets: groups, drawn phenotype faces, adapters for real images, shards with a manifest."""
