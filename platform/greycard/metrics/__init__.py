"""Measures an image, and what groups of images differ by: a pure function of the audit table."""
