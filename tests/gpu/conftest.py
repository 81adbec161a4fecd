"""Every check here compares a device with a CPU, so each runs twice: on CUDA, and on a CPU to try the check itself.

Only torch, numpy, PyYAML, tqdm and pytest are needed (``tests/test_gpu_check.py`` holds that); what needs more is
skipped with its reason. ``make gpu-check`` takes the half on CUDA, ``make test`` the other.
"""

import os

import pytest
import torch

# cuBLAS reads it when it starts; without it matrix products may differ from run to run.
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")


@pytest.fixture(params=["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def device(request):
    if request.param == "cuda" and not torch.cuda.is_available():
        pytest.skip("no CUDA device: torch.cuda.is_available() is False here")
    return torch.device(request.param)


@pytest.fixture(autouse=True)
def full_float32():
    """No TF32, which keeps 10 bits of a float32's 23, and kernels that give the same sums every time."""
    matrices = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False):
        yield
    torch.set_float32_matmul_precision(matrices)


@pytest.fixture
def same_every_time():
    """Algorithms that give the same bits every time, also where a faster one would not."""
    torch.use_deterministic_algorithms(True, warn_only=True)
    yield
    torch.use_deterministic_algorithms(False)


@pytest.fixture
def drawn_on_the_cpu(monkeypatch):
    """Random numbers come from the CPU's generator, whatever device they are for: CUDA's draws other ones."""
    for name in ("randn", "rand", "randint"):
        monkeypatch.setattr(torch, name, _moved(getattr(torch, name)))
    monkeypatch.setattr(torch, "randn_like", lambda x: torch.randn(x.shape, dtype=x.dtype, device=x.device))


def _moved(draw):
    def drawn(*arguments, device="cpu", **options):
        return draw(*arguments, **options).to(device)

    return drawn
