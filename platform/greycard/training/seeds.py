"""One seed out of several numbers, for torch's generators."""

_ODD = 0x9E3779B1  # 2^32 over the golden ratio: its multiples spread evenly over 32 bits


def stream_seed(seed: int, number: int) -> int:
    """Return the seed of a run's ``number``-th draw (its step or epoch), in [0, 2^32).

    torch's generator on the CPU keeps the low 32 bits of a seed and no more: a sum with a seed in the bits above them
    would be the same for every run. Runs whose seeds are below 256 share no draw in their first 16 million.

    Example:
        >>> stream_seed(0, 7), stream_seed(1, 7) - 7 == 2**24, stream_seed(256, 7) == stream_seed(0, 7)
        (7, True, False)
    """
    return ((seed << 24) + (seed >> 8) * _ODD + number) % 2**32
