"""Batches of one set or of two: shares, order, epochs and going on from a step."""

from itertools import islice

import pytest
import torch

from greycard.training.batches import Examples, training_batches
from greycard.training.stylegan2.mixture import Mixture, endless_batches, rows_of


def numbered(count, first=0):
    """Images of one pixel that hold their number."""
    numbers = torch.arange(first, first + count)
    return Examples(numbers.to(torch.uint8).view(-1, 1, 1, 1).expand(-1, 3, 1, 1), {"number": numbers})


def taken(data, steps, step=0, batch_size=4):
    batches = islice(endless_batches(data, batch_size=batch_size, seed=3, step=step), steps)
    return [batch.labels["number"].tolist() for batch in batches]


def test_one_set_goes_round_in_the_order_of_its_epochs():
    data = numbered(10)
    expected = [
        batch.labels["number"].tolist()
        for epoch in range(2)
        for batch in training_batches(data, batch_size=4, seed=3, epoch=epoch)
    ]
    assert taken(data, 4) == expected


@pytest.mark.parametrize("share", [0.25, 0.5, 0.7])
def test_every_batch_of_a_mixture_has_its_share_and_labels_stay_with_images(share):
    data = Mixture(numbered(12), numbered(9, first=100), share)
    second = round(share * 8)
    for batch in islice(endless_batches(data, batch_size=8, seed=1, step=0), 6):
        numbers = batch.labels["number"]
        assert int((numbers >= 100).sum()) == second
        assert len(set(numbers.tolist())) == 8
        assert torch.equal(batch.images[:, 0, 0, 0].long(), numbers)


def test_the_sets_of_a_batch_do_not_stand_side_by_side():
    data = Mixture(numbered(64), numbered(64, first=100), 0.5)
    places = torch.tensor([[number >= 100 for number in batch] for batch in taken(data, 40, batch_size=8)])
    assert 0.25 < places.float().mean(dim=0).min() < places.float().mean(dim=0).max() < 0.75


def test_sets_of_one_size_are_drawn_in_different_orders():
    first, second = [], []
    for batch in taken(Mixture(numbered(16), numbered(16, first=100), 0.5), 4, batch_size=8):
        first.append({number for number in batch if number < 100})
        second.append({number - 100 for number in batch if number >= 100})
    assert set().union(*first) == set().union(*second) == set(range(16))
    assert first != second  # which images meet in a batch, not only where they stand in it


@pytest.mark.parametrize("other", [1, 256, 2**32])
def test_another_seed_is_another_order(other):
    orders = [
        [number for batch in islice(endless_batches(numbered(40), batch_size=4, seed=seed, step=0), 8)
         for number in batch.labels["number"].tolist()]
        for seed in (0, other)
    ]  # fmt: skip
    assert orders[0] != orders[1]


def test_any_step_can_be_gone_on_from():
    data = Mixture(numbered(10), numbered(7, first=100), 0.5)
    whole = taken(data, 9)
    assert [taken(data, 1, step=step)[0] for step in range(9)] == whole


def test_mixtures_that_cannot_keep_their_share_are_refused():
    assert rows_of(Mixture(numbered(9), numbered(9), 0.5), 3) in [(1, 2), (2, 1)]
    with pytest.raises(ValueError, match=r"a share of 0\.1 of the second set leaves one set out of a batch of 4"):
        rows_of(Mixture(numbered(9), numbered(9), 0.1), 4)
    with pytest.raises(ValueError, match="takes 2 images of a set that has 1"):
        rows_of(Mixture(numbered(9), numbered(1), 0.5), 4)
