"""How a StyleGAN2 is trained: the values of Karras et al. 2020 and of StyleGAN2-ADA's presets.

==================  ==========  ==========  ==========
field               config_f    paper256    cifar
==================  ==========  ==========  ==========
batch               32          64          64
learning_rate       0.002       0.0025      0.0025
gamma               10          1           0.01
average_images      10,000      20,000      500,000
average_ramp        0           0           0.05
path_weight         2           2           0
mixing              0.9         0.9         0
images              25 million  25 million  100 million
==================  ==========  ==========  ==========

``small32`` and ``tiny`` are ours. Few images want many small steps: the digits of MNIST-5k were as good after 60,000
images in batches of 16 as after 150,000 in batches of 32; at γ = 0.1 they never formed.

For its CIFAR-10 runs paper 004 says "cifar", but its evaluation scripts point at 25 million images; both are settable.
"""

from dataclasses import dataclass
from typing import Any, Final, Literal

from greycard.losses.shares import ShareLossConfig
from greycard.schema import unknown

PRESETS: Final[dict[str, dict[str, Any]]] = {
    "config_f": {"images": 25_000_000, "gamma": 10.0},
    "paper256": {
        "images": 25_000_000, "batch": 64, "learning_rate": 0.0025, "gamma": 1.0, "average_images": 20_000,
    },
    "cifar": {
        "images": 100_000_000, "batch": 64, "learning_rate": 0.0025, "gamma": 0.01, "average_images": 500_000,
        "average_ramp": 0.05, "path_weight": 0.0, "mixing": 0.0,
    },
    "small32": {
        "images": 150_000, "batch": 16, "learning_rate": 0.006, "gamma": 1.0, "average_images": 10_000,
        "average_ramp": 0.05, "path_weight": 0.0, "mixing": 0.0, "cooldown": 0.5, "report_images": 10_000,
        "channels_last": True,
    },
    "tiny": {
        "images": 512, "batch": 8, "gamma": 0.1, "average_images": 100, "path_weight": 0.0, "mixing": 0.0,
        "report_images": 128,
    },
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class AdversarialConfig:
    """Adversarial training.

    Attributes:
        images: real images shown to the discriminator in all; a step shows ``batch`` of them.
        batch: images per step.
        learning_rate: Adam's, of both networks (betas 0 and 0.99).
        gamma: weight of R1, ``γ/2 · E‖∇D(x)‖²``; 0 switches it off.
        gamma_every: steps between two R1 steps ("lazy": the term is then multiplied by it, and the learning rate and
            betas corrected by r / (r + 1)).
        path_weight: of the path length penalty; 0 switches it off.
        path_every: steps between two path length steps.
        path_decay: of the running mean path length: how far it moves per step.
        path_batch: the path length is taken of batch / so many images.
        mixing: probability of style mixing.
        style_decay: of the running mean of w.
        average_images: half-life, in images, of the generator's averaged weights, which are the result.
        average_ramp: the half-life is at most this share of the images seen; 0 leaves it.
        cooldown: over this share of the training, its last, the learning rate falls in a line to 0; 0 keeps it.
        mirror: mirror real images left to right with probability 1/2.
        jitter: how far real images are turned, shifted, scaled and sheared at random, as in ``LoopConfig``: 1 is up to
            10 degrees, a 16th of the width and a tenth. What is generated is then moved too.
        freeze: layers of the discriminator that do not learn, counted from the image (FreezeD, as ``--freezed`` of
            the published code; paper 004's text says "the last five").
        shares: the share loss; None trains without.
        reweighting: ``real`` weights each real image by the importance of its class (paper 004, eq. 5); ``generated``
            is the published code: generated images by their predicted class, summed over the batch, in the generator's
            loss only.
        clip_norm: largest norm of a gradient; 0 leaves it.
        report_images: images between two reports, each with a checkpoint.
        channels_last: lay tensors out channel by channel at each position, which is faster for narrow networks on CPUs.
        device: ``cpu``, ``cuda``, ``cuda:1``, or ``auto`` for CUDA where there is one.
        seed: of the order of images, latents and noise.
    """

    images: int = 25_000_000
    batch: int = 32
    learning_rate: float = 0.002
    gamma: float = 10.0
    gamma_every: int = 16
    path_weight: float = 2.0
    path_every: int = 4
    path_decay: float = 0.01
    path_batch: int = 2
    mixing: float = 0.9
    style_decay: float = 0.995
    average_images: int = 10_000
    average_ramp: float = 0.0
    cooldown: float = 0.0
    mirror: bool = False
    jitter: float = 0.0
    freeze: int = 0
    shares: ShareLossConfig | None = None
    reweighting: Literal["none", "real", "generated"] = "none"
    clip_norm: float = 0.0
    report_images: int = 50_000
    channels_last: bool = False
    device: str = "cpu"
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("images", "batch", "gamma_every", "path_every", "path_batch", "average_images", "report_images"):
            if getattr(self, name) < 1:
                raise ValueError(f"adversarial.{name} must be at least 1, got {getattr(self, name)}")
        for name in ("gamma", "path_weight", "average_ramp", "jitter", "freeze", "clip_norm", "seed"):
            if getattr(self, name) < 0:
                raise ValueError(f"adversarial.{name} must be 0 or above, got {getattr(self, name)}")
        for name in ("mixing", "style_decay", "path_decay", "cooldown"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"adversarial.{name} must be in [0, 1], got {getattr(self, name)}")
        if not self.learning_rate > 0:
            raise ValueError(f"adversarial.learning_rate must be above 0, got {self.learning_rate}")

    @classmethod
    def preset(cls, name: str, **changes: Any) -> "AdversarialConfig":
        """Return the training of a named network: config_f, paper256, cifar, small32 or tiny.

        Raises:
            ValueError: unknown name; the message lists near matches.
        """
        if name not in PRESETS:
            raise ValueError(unknown("adversarial preset", name, list(PRESETS)))
        return cls(**{**PRESETS[name], **changes})

    @property
    def steps(self) -> int:
        """Steps in all: the fewest that show ``images``."""
        return -(-self.images // self.batch)

    def cooled(self, step: int) -> float:
        """Return the share of the learning rate with which a 0-based step learns."""
        left = (self.steps - step) / self.steps
        return min(1.0, left / self.cooldown) if self.cooldown else 1.0

    def average_decay(self, seen: int) -> float:
        """Return the decay of the averaged weights for a step after which ``seen`` images have been shown."""
        half_life = float(self.average_images)
        if self.average_ramp:
            half_life = min(half_life, self.average_ramp * seen)
        return float(0.5 ** (self.batch / max(half_life, 1e-8)))
