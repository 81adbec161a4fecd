"""Audits of generators and sets of images: shares of classes and realism against a reference."""
