"""The rate-distortion Lagrangian of learned codecs: bits plus λ times the squared error."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from greycard.training.objectives.contract import Loss

PEAK = 255.0


class Coded(NamedTuple):
    """What an image model made of N images.

    Attributes:
        mse: (N,) mean squared error of values in [0, 1].
        bpp: (N,) estimated bits per pixel.
        rates: bpp_<latent> -> (N,) its share of them.
        psnr_db: (N,) of 8-bit pixels, detached.
        auxiliary: () the entropy model's own loss in training, or None.
    """

    mse: Tensor
    bpp: Tensor
    rates: dict[str, Tensor]
    psnr_db: Tensor
    auxiliary: Tensor | None


def coded(network: nn.Module, images: Tensor) -> Coded:
    """Run a CompressAI image model on (N, 3, H, W) uint8 images."""
    x = images.float() / PEAK
    with _entropy_in_float32(network):
        output: dict[str, Any] = network(x)
    pixels = x.shape[-2] * x.shape[-1]
    rates = {
        f"bpp_{name}": -torch.log2(likelihoods.float()).sum(dim=(1, 2, 3)) / pixels
        for name, likelihoods in output["likelihoods"].items()
    }
    x_hat = output["x_hat"].float()
    auxiliary = getattr(network, "aux_loss", None)
    return Coded(
        mse=(x_hat - x).square().mean(dim=(1, 2, 3)),
        bpp=torch.stack(list(rates.values())).sum(dim=0),
        rates=rates,
        psnr_db=_psnr(images, x_hat.detach()),
        auxiliary=auxiliary() if auxiliary and network.training else None,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RateDistortion:
    """``λ · 255² · MSE + bpp`` of a CompressAI image model (Ballé et al. 2018, eq. 10; CompressAI's scaling).

    ``network(x)`` with x in [0, 1] gives ``x_hat`` and ``likelihoods``; bpp is their -log2, summed, a pixel. The tails
    of the factorised prior (``*.quantiles``) have the auxiliary loss and Adam optimiser that CompressAI gives them. The
    entropy models compute in float32 whatever the mixed precision of the convolutions.

    Attributes:
        lam: λ, above 0.
        auxiliary_learning_rate: the rate of the quantiles' Adam.
        collapse_bpp: bits per pixel below which the validation set counts as collapsed to a constant image.
    """

    lam: float
    auxiliary_learning_rate: float = 1e-3
    collapse_bpp: float = 0.005

    def __post_init__(self) -> None:
        if not self.lam > 0:
            raise ValueError(f"objective.lam must be above 0, got {self.lam}")

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels that it reads besides those of the network's tasks."""
        return ()

    def description(self) -> dict[str, Any]:
        """Return what is written of it beside the weights."""
        return {"lambda": self.lam}

    def auxiliary_optimizer(self, network: nn.Module) -> Optimizer | None:
        """Return Adam on the quantiles."""
        quantiles = [value for name, value in network.named_parameters() if name.endswith("quantiles")]
        return Adam(quantiles, lr=self.auxiliary_learning_rate) if quantiles else None

    def __call__(self, network: nn.Module, images: Tensor, labels: Mapping[str, Tensor]) -> Loss:
        """Return the loss; parts: loss, psnr_db (of 8-bit pixels), bpp, bpp_y, bpp_z."""
        seen = coded(network, images)
        loss = self.lam * PEAK**2 * seen.mse + seen.bpp
        parts = {"loss": loss, "psnr_db": seen.psnr_db, "bpp": seen.bpp} | seen.rates
        return Loss(
            total=loss.mean(),
            auxiliary=seen.auxiliary,
            parts={name: values.detach() for name, values in parts.items()},
        )

    def concerns(self, metrics: Mapping[str, float]) -> list[str]:
        """Warn of a collapse: nearly no bits, so the same image for everyone."""
        if metrics["bpp"] >= self.collapse_bpp:
            return []
        return [
            f"rate collapse: {metrics['bpp']:.4f} bpp at λ={self.lam:g} (y {metrics.get('bpp_y', 0):.4f}, "
            f"z {metrics.get('bpp_z', 0):.4f}), below {self.collapse_bpp}: the model restores nearly the same image "
            "for every input; start from a higher λ's weights or lower the learning rate"
        ]


def _psnr(images: Tensor, x_hat: Tensor) -> Tensor:
    """Return (N,) dB between 8-bit images and restored values in [0, 1], rounded to 8 bit; 99 where they are equal."""
    restored = (x_hat.clamp(0, 1) * PEAK).round()
    mse = (restored - images.float()).square().mean(dim=(1, 2, 3))
    return torch.where(mse > 0, 10 * torch.log10(PEAK**2 / mse.clamp(min=1e-9)), 99.0)


@contextmanager
def _entropy_in_float32(network: nn.Module) -> Iterator[None]:
    """Keep CompressAI's entropy models out of autocast: likelihoods near 1e-9 have no meaning in half precision."""
    if not torch.is_autocast_enabled("cpu") and not torch.is_autocast_enabled("cuda"):
        yield
        return
    from compressai.entropy_models import EntropyModel

    modules = [module for module in network.modules() if isinstance(module, EntropyModel)]
    for module in modules:
        module.forward = _float32(module.forward)
    try:
        yield
    finally:
        for module in modules:
            del module.forward  # the class's own method shows again


def _float32(forward: Any) -> Any:
    def run(*args: Any, **kwargs: Any) -> Any:
        tensors = [value.float() if isinstance(value, Tensor) else value for value in args]
        named = {name: value.float() if isinstance(value, Tensor) else value for name, value in kwargs.items()}
        device = next(value.device.type for value in [*tensors, *named.values()] if isinstance(value, Tensor))
        with torch.autocast(device, enabled=False):
            return forward(*tensors, **named)

    return run
