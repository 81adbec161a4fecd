"""Train a StyleGAN2: logistic loss, lazy penalties, averaged weights, FreezeD, share loss; checkpoints, exact resume.

``a step: real images, z -> G -> D -> generator's step [path length step]; -> discriminator's step [R1 step]; average``

All randomness of a step comes from (seed, step), so a run that was killed and resumed ends, on a CPU, with the same
weights as one that was not.
"""

import copy
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor, nn

from greycard.config import digest
from greycard.layers.devices import find_device
from greycard.layers.memory_format import memory_format
from greycard.losses.shares import ShareLoss, importance_weights
from greycard.training.batches import Examples, ImageSet, to_device
from greycard.training.optimizers import gradient_norm
from greycard.training.seeds import stream_seed
from greycard.training.session import UNKEPT, Session
from greycard.training.state import Sums
from greycard.training.stylegan2.config import AdversarialConfig
from greycard.training.stylegan2.mixture import Mixture, endless_batches, sets_of
from greycard.training.stylegan2.terms import discriminator_loss, generator_loss, lazy_adam, path_lengths, r1_penalty

_HALF = 127.5


class StyleGenerator(Protocol):
    """What is asked of a generator's network (``generators.stylegan2.GeneratorNetwork``)."""

    mapping: Any
    synthesis: Any
    num_styles: int

    def mixed(self, first: Tensor, second: Tensor, crossover: Tensor) -> Tensor:
        """Take one style before, another from, each image's crossover layer on."""
        ...


class Judge(NamedTuple):
    """The frozen classifier of share loss and reweighting.

    Attributes:
        logits: (N, 3, H, W) float 0..255 -> (N, K), differentiable; in evaluation mode.
        task: the attribute, a key of the images' labels.
        shares: (K,) float64 class shares of the biased data, or of the biased generator.
        classes: names of the classes, for the reports; () takes their codes.
    """

    logits: Callable[[Tensor], Tensor]
    task: str
    shares: Tensor
    classes: tuple[str, ...] = ()


class Trained(NamedTuple):
    """What came of a run: the metrics of every report and the images shown."""

    history: tuple[dict[str, float], ...]
    images: int


def train_adversarial(
    generator: nn.Module,
    discriminator: nn.Module,
    data: ImageSet | Mixture,
    config: AdversarialConfig,
    session: Session = UNKEPT,
    *,
    latent: int,
    judge: Judge | None = None,
    draw: Callable[[nn.Module, int], None] | None = None,
) -> tuple[nn.Module, Trained]:
    """Train both networks in place and return the generator with averaged weights, on the CPU.

    Args:
        generator: its network.
        discriminator: its network.
        data: images (N, 3, H, W) uint8, or two sets in fixed shares; labels are needed for ``reweighting=real`` only.
        config: how to train.
        session: where the checkpoint is kept, and who is notified of each tick.
        latent: features of z.
        judge: the classifier, for a share loss or reweighting.
        draw: called after each new tick is told, with the generator with averaged weights, on the device of training,
            and the images shown so far.

    Raises:
        DivergedError: a loss or gradient became NaN or infinite; the last checkpoint is from before that.
        CheckpointError: the directory holds a damaged checkpoint, or that of another run.
        ValueError: the images are of another size, a judge is needed and missing, or CUDA is.
    """
    run = _Run(generator, discriminator, data, config, session, judge, latent)
    with torch.random.fork_rng(devices=[run.device] if run.device.type == "cuda" else []):
        run.start()
        session.tell(run.history)
        with session.meter(config.steps * config.batch, run.seen, "image") as shown:
            while run.step < config.steps:
                run.take_step()
                shown.reach(run.seen)
                if run.due():
                    run.tick()
                    session.tell(run.history, first=len(run.history))
                    if draw is not None:
                        draw(run.average, run.seen)
    average = run.average.cpu().eval()
    generator.cpu().eval()
    return average, Trained(tuple(run.history), run.seen)


class _Run:
    """A run in progress."""

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        data: ImageSet | Mixture,
        config: AdversarialConfig,
        session: Session,
        judge: Judge | None,
        latent: int,
    ) -> None:
        if judge is None and (config.shares or config.reweighting != "none"):
            raise ValueError("a share loss or reweighting needs a classifier: give judge, or switch both off")
        self.sets = sets_of(data)
        if not all(len(images.images) for images in self.sets):
            raise ValueError("training needs images, got none")
        self.config, self.data, self.session, self.judge, self.latent = config, data, session, judge, latent
        self.device = find_device(config.device)
        layout = memory_format(generator, discriminator, channels_last=config.channels_last)
        networks: tuple[Any, Any] = (generator, discriminator)
        self.generator, self.discriminator = (
            network.to(self.device, memory_format=layout).train() for network in networks
        )
        self._check_size()
        if config.freeze:
            self.discriminator.freeze(config.freeze)
        self.learned = [p for p in self.discriminator.parameters() if p.requires_grad]
        self.drawn = list(self.generator.parameters())
        every = config.path_every if config.path_weight else 0
        self.g_optimizer = lazy_adam(self.drawn, config.learning_rate, every)
        self.d_optimizer = lazy_adam(self.learned, config.learning_rate, config.gamma_every if config.gamma else 0)
        self.rates = [(each, each.param_groups[0]["lr"]) for each in (self.g_optimizer, self.d_optimizer)]
        self.average = copy.deepcopy(self.generator).requires_grad_(False).eval()
        self.shares: ShareLoss | None = None
        if config.shares and judge is not None:
            self.shares = config.shares.build(judge.shares).to(self.device)
        self.path_mean = torch.zeros((), device=self.device)
        self.step, self.sums, self.history = 0, Sums(), list[dict[str, float]]()
        self.made: list[Tensor] = []  # class shares of the generated batches since the last report

    @property
    def seen(self) -> int:
        """The number of images shown so far: steps times batch size."""
        return self.step * self.config.batch

    @property
    def identity(self) -> dict[str, Any]:
        """What a checkpoint must agree with to be resumed."""
        return {"config": digest(self.config), "images": sum(len(images.images) for images in self.sets)}

    def start(self) -> None:
        """Go on from the checkpoint; where there is none yet, write the first one."""
        self._resume()
        config = self.config
        self._batches = endless_batches(
            self.data,
            batch_size=config.batch,
            seed=config.seed,
            step=self.step,
            mirror=config.mirror,
            jitter=config.jitter,
        )

    def _resume(self) -> None:
        saved = self.session.load(self.identity)
        if saved is None:
            self.save()
            return
        for name, part in self._parts().items():
            part.load_state_dict(saved[name])
        self.step, self.history = saved["step"], saved["history"]
        self.path_mean = saved["path_mean"].to(self.device)

    def save(self) -> None:
        """Write the checkpoint."""
        if self.session.path is None:
            return
        state: dict[str, Any] = {name: part.state_dict() for name, part in self._parts().items()}
        progress = {"step": self.step, "history": self.history, "path_mean": self.path_mean.cpu()}
        self.session.save(self.identity, progress | state)

    def due(self) -> bool:
        """Whether a report is due after the last step."""
        before = (self.step - 1) * self.config.batch // self.config.report_images
        return self.step == self.config.steps or self.seen // self.config.report_images > before

    def tick(self) -> None:
        """Take the means since the last report and write the checkpoint."""
        self.history.append({"images": float(self.seen)} | self.sums.means() | self._shares_made())
        self.sums = Sums()
        self.save()

    def _shares_made(self) -> dict[str, float]:
        """Return the judge's shares of all images generated since the last report, and how uneven they are."""
        if not self.made or self.judge is None:
            return {}
        shares = torch.stack(self.made).mean(dim=0)
        self.made = []
        names = self.judge.classes or tuple(map(str, range(len(shares))))
        found = {f"share/{name}": share for name, share in zip(names, shares.tolist(), strict=True)}
        return found | {"discrepancy[judge]": float((shares - 1.0 / len(shares)).norm())}

    def take_step(self) -> None:
        """One step of both networks, with the penalties that are due."""
        config = self.config
        self._seed(stream_seed(config.seed, self.step))
        for optimizer, rate in self.rates:
            optimizer.param_groups[0]["lr"] = rate * config.cooled(self.step)
        real = self._real()
        self._generator_step(len(real.images))
        if config.path_weight and self.step % config.path_every == 0:
            self._path_step(max(1, len(real.images) // config.path_batch))
        self._discriminator_step(real)
        if config.gamma and self.step % config.gamma_every == 0:
            self._r1_step(real.images)
        self.step += 1
        self._average()

    def _generator_step(self, count: int) -> None:
        self._learn(generator=True)
        images, _ = self._generate(count)
        scores = self.discriminator(images)
        losses = generator_loss(scores)
        parts = {"generator": losses.detach(), "score/generated": scores.detach()}
        total = losses.mean()
        if self.judge is not None and (self.shares is not None or self.config.reweighting == "generated"):
            logits = self.judge.logits(((images + 1.0) * _HALF).clamp(0.0, 255.0))
            if self.config.reweighting == "generated":
                weights = importance_weights(logits.argmax(dim=1), self.judge.shares.to(logits.device))
                total = (losses * weights.to(losses.dtype)).sum()
            if self.shares is not None:
                term = self.shares(logits)
                total = total + term.weighted.to(total.dtype)
                parts["shares"] = term.value.detach()[None]
                self.made.append(term.shares)
        self._update(total, self.g_optimizer, self.drawn, "generator's loss")
        self.sums.add(parts)

    def _path_step(self, count: int) -> None:
        self._learn(generator=True)
        images, w = self._generate(count)
        lengths = path_lengths(images, w, torch.randn_like(images))
        self.path_mean = self.path_mean.lerp(lengths.mean().detach(), self.config.path_decay)
        penalty = (lengths - self.path_mean).square()
        total = self.config.path_weight * self.config.path_every * penalty.mean()
        self._update(total, self.g_optimizer, self.drawn, "path length penalty")
        self.sums.add({"path/length": lengths.detach(), "path/penalty": penalty.detach()})

    def _discriminator_step(self, real: Examples) -> None:
        self._learn(generator=False)
        with torch.no_grad():
            generated, _ = self._generate(len(real.images))
        scores, against = self.discriminator(real.images), self.discriminator(generated)
        weights = None
        if self.config.reweighting == "real" and self.judge is not None:
            weights = importance_weights(real.labels[self.judge.task], self.judge.shares.to(self.device))
        total = discriminator_loss(scores, against, weights)
        self._update(total, self.d_optimizer, self.learned, "discriminator's loss")
        self.sums.add({"discriminator": total.detach()[None], "score/real": scores.detach()})

    def _r1_step(self, images: Tensor) -> None:
        self._learn(generator=False)
        images = images.detach().requires_grad_()
        penalty = r1_penalty(self.discriminator(images), images)
        total = self.config.gamma / 2 * self.config.gamma_every * penalty.mean()
        self._update(total, self.d_optimizer, self.learned, "R1 penalty")
        self.sums.add({"r1": penalty.detach()})

    def _generate(self, count: int) -> tuple[Tensor, Tensor]:
        """Return (N, 3, H, W) images and the styles (N, L, W) that they came from."""
        config, layers = self.config, self.generator.num_styles
        z = torch.randn(2, count, self.latent, device=self.device)
        w = self.generator.mapping(z[0])
        if self.generator.training and torch.is_grad_enabled():
            self.generator.mapping.follow(w, config.style_decay)
        crossover = torch.randint(1, layers, (count,), device=self.device)
        crossover = torch.where(torch.rand(count, device=self.device) < config.mixing, crossover, layers)
        second = self.generator.mapping(z[1]) if config.mixing else w
        styles = self.generator.mixed(w, second, crossover)
        return self.generator.synthesis(styles, "random"), styles

    def _update(
        self, total: Tensor, optimizer: torch.optim.Optimizer, parameters: list[nn.Parameter], what: str
    ) -> None:
        optimizer.zero_grad(set_to_none=True)
        self._check(total, what)
        total.backward()  # type: ignore[no-untyped-call]
        self._check(gradient_norm(parameters, self.config.clip_norm), f"gradient of the {what}")
        optimizer.step()

    def _learn(self, *, generator: bool) -> None:
        """Let only one network collect gradients."""
        for parameter in self.drawn:
            parameter.requires_grad_(generator)
        for parameter in self.learned:
            parameter.requires_grad_(not generator)

    @torch.no_grad()
    def _average(self) -> None:
        share = 1.0 - self.config.average_decay(self.seen)
        for average, value in zip(self.average.parameters(), self.drawn, strict=True):
            average.lerp_(value, share)
        for average, value in zip(self.average.buffers(), self.generator.buffers(), strict=True):
            average.copy_(value)  # w's mean is a mean already; noise and filters are constants

    def _seed(self, seed: int) -> None:
        """Seed the generators that a step draws from; ``torch.manual_seed`` would look for every kind of device."""
        torch.default_generator.manual_seed(seed)
        if self.device.type == "cuda":
            torch.cuda.manual_seed_all(seed)

    def _real(self) -> Examples:
        """Return the real images of the step, in [-1, 1]."""
        batch = to_device(next(self._batches), self.device)
        return batch._replace(images=batch.images.float() / _HALF - 1.0)

    def _parts(self) -> dict[str, Any]:
        parts = {
            "generator": self.generator,
            "discriminator": self.discriminator,
            "average": self.average,
            "g_optimizer": self.g_optimizer,
            "d_optimizer": self.d_optimizer,
        }
        return parts | ({"shares": self.shares} if self.shares is not None else {})

    def _check(self, value: Tensor, what: str) -> None:
        advice = "Lower the learning rate, raise gamma or set clip_norm; check the images"
        self.session.check_finite(value, what, f"after {self.seen} images", advice)

    def _check_size(self) -> None:
        with torch.no_grad():
            w = torch.zeros(1, self.generator.num_styles, self.generator.mapping.average.shape[0], device=self.device)
            made = tuple(self.generator.synthesis(w, "none").shape[1:])
        for images in self.sets:
            if made != tuple(images.images.shape[1:]):
                raise ValueError(
                    f"the generator makes images of {made}, the data have {tuple(images.images.shape[1:])}: set "
                    "generator.size to the size of the data, or load the data at the generator's size"
                )
