"""Latents that a classifier takes for a class: Algorithm 2 of paper 004, and rejection sampling, its control."""
