"""Audits: each one chain of stages that ends in a table of one row an image, system and operating point."""
