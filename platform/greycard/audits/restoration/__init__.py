"""Audits of codecs: images against what comes back of them."""
