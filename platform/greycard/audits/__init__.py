"""Audits: each one chain of stages that ends in a table of one row per image, system and operating point."""
