import pytest
import torch
from torch import nn

from greycard.layers.batching import RowWise, fixed_batches, make_row_wise, steady_size


def test_fixed_batches_repeat_the_last_image():
    batches = list(fixed_batches(torch.arange(5), 3))
    assert [(batch.tolist(), count) for batch, count in batches] == [([0, 1, 2], 3), ([3, 4, 4], 2)]
    assert list(fixed_batches(torch.zeros(0, 2), 3)) == []
    with pytest.raises(ValueError, match="at least 1"):
        list(fixed_batches(torch.arange(5), 0))


def test_rows_run_alone_where_groups_differ():
    """A function whose rows know how many they are gives what it gives for one row."""
    rows = RowWise(lambda x: x + len(x), max_rows=8)
    x = torch.randn(100, 3)
    for _ in range(2):
        assert torch.equal(rows(x), x + 1)


def test_groups_are_cut_to_sizes_that_keep_the_bits():
    sizes = []

    def function(x):
        sizes.append(len(x))
        return x * 2 + (len(x) == 8)  # groups of 8 differ, smaller ones do not

    rows = RowWise(function, max_rows=16)
    x = torch.randn(71, 3)
    rows(x)
    sizes.clear()
    assert torch.equal(rows(x), x * 2)
    assert 8 not in sizes
    assert sum(sizes) == 71


def test_a_faster_function_is_used_only_if_it_gives_the_same():
    for error, expected in ((0.0, True), (1e-6, False)):
        calls = []

        def slow(x):
            return torch.cat([row[None].exp() for row in x for _ in range(1)] + [x[:0]])

        def fast(x, error=error, calls=calls):
            calls.append(len(x))
            return x.exp() * (1 + error)

        rows = RowWise(slow, faster=(fast,), max_rows=16)
        x = torch.randn(128, 16)
        rows(x)
        calls.clear()
        assert torch.equal(rows(x), slow(x))
        assert bool(calls) == expected


def test_layers_of_a_network_keep_the_bits_of_single_images():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = nn.Sequential(
            nn.Conv2d(3, 24, 5, 2, 2),
            nn.ReLU(),
            nn.Sequential(nn.Conv2d(24, 17, 1), nn.Conv2d(17, 9, 3, 1, 1)),
            nn.Flatten(),
        ).eval()
        x = torch.randn(96, 3, 16, 16)
    with torch.no_grad():
        alone = torch.cat([network(row[None]) for row in x])
        make_row_wise(network, 32)
        network(x)
        assert torch.equal(network(x), alone)
        assert torch.equal(network(x[5:60]), alone[5:60])


def test_plans_are_shared():
    plans = {}
    networks = [nn.Sequential(nn.Conv2d(1, 2, 3)) for _ in range(2)]
    for network in networks:
        make_row_wise(network, 4, plans)
    with torch.no_grad():
        for network in networks:
            network(torch.randn(80, 1, 8, 8))
    assert len(plans) == 1


def test_max_rows_must_be_positive():
    with pytest.raises(ValueError, match="max_rows"):
        RowWise(lambda x: x, max_rows=0)


@pytest.mark.parametrize(("edge", "expected"), [(99, 12), (11, 6), (3, 3), (1, 1)])
def test_the_steady_size_is_one_whose_rows_do_not_feel_their_place(edge, expected):
    """Rows from ``edge`` on are computed with another rounding, as at the edge of a tile."""
    tried = []

    def compute(batch):
        tried.append(len(batch))
        rows = batch.flatten(1).double().mean(dim=1, keepdim=True)
        rows[edge:] += 1e-9
        return [rows]

    assert steady_size(compute, (3, 4, 4), 12) == expected
    assert tried[0] == 12
    assert 1 not in tried
