"""Balanced data from an unbalanced generator: latent search (paper 004, Algorithm 2) and rejection sampling."""
