"""Shares and realism of generated images: discrepancy, distances of features, neighbours (paper 004)."""
