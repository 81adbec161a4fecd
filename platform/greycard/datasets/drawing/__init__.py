"""The pen behind ``datasets.faces``: seeded draws, traits, and the layers of a drawn face."""
