import copy

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import nn

from greycard.layers.batch_norm import SpreadBatchNorm, spread_batch_norm


def images(count, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return 100 + 5 * torch.randn(count, 3, 4, 5, generator=generator)


def network():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 2, 2), nn.BatchNorm2d(2, momentum=None)
    )


def loss(outputs, weights):
    return (outputs.square() * weights).sum()


def work(rank, address, result):
    """Two processes, of 5 and 2 rows."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=address, rank=rank, world_size=2)
    net = network()
    spread_batch_norm(net)
    own = slice(0, 5) if rank == 0 else slice(5, 7)
    x = images(7)[own].requires_grad_()
    for _ in range(2):
        outputs = net(x)
    weights = torch.arange(7.0)[own].view(-1, 1, 1, 1)
    loss(outputs, weights).backward()
    gradients = [p.grad for p in net.parameters()]
    for gradient in gradients:
        dist.all_reduce(gradient)
    result[rank] = (outputs.detach(), x.grad, gradients, net.state_dict())
    dist.destroy_process_group()


def test_two_processes_have_the_outputs_gradients_and_buffers_of_one(tmp_path):
    with mp.Manager() as manager:
        shared = manager.dict()
        mp.spawn(work, (f"file://{tmp_path}/meet", shared), nprocs=2)
        found = [shared[0], shared[1]]
    net, x = network(), images(7).requires_grad_()
    for _ in range(2):
        outputs = net(x)
    loss(outputs, torch.arange(7.0).view(-1, 1, 1, 1)).backward()
    torch.testing.assert_close(torch.cat([found[0][0], found[1][0]]), outputs.detach(), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(torch.cat([found[0][1], found[1][1]]), x.grad, rtol=1e-3, atol=1e-5)
    for mine, expected in zip(found[0][2], [p.grad for p in net.parameters()], strict=True):
        torch.testing.assert_close(mine, expected, rtol=1e-3, atol=1e-4)
    for rank in (0, 1):
        assert found[rank][3].keys() == net.state_dict().keys()
        for name, value in net.state_dict().items():
            torch.testing.assert_close(found[rank][3][name], value, rtol=1e-5, atol=1e-5)


def test_in_evaluation_it_is_the_batch_norm_that_it_replaced():
    net = network()
    net(images(6))
    spread = copy.deepcopy(net)
    spread_batch_norm(spread)
    assert [type(module) for module in spread].count(SpreadBatchNorm) == 2
    assert torch.equal(spread.eval()(images(3, seed=1)), net.eval()(images(3, seed=1)))
    assert spread.state_dict().keys() == net.state_dict().keys()
