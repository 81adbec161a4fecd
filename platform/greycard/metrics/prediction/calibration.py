"""Whether probabilities mean what they say, and refits that make them: temperature, Platt, linear, isotonic.

Expected calibration error: Guo et al. 2017 (arXiv 1706.04599), eq. 3, over the confidence of the decision. Temperature:
their section 4.2. Platt (1999): a scale and an offset per class on the logits. Linear: eq. 18 of paper 002 turned
round, which undoes linear squeezing exactly, as the first two cannot. Isotonic (Zadrozny & Elkan 2002): any
rising function of a class's probability, one class against the rest; of two classes it sees the order of rows only, so
two predictors that rank alike are the same after it.
"""

from collections.abc import Callable
from typing import Any, Final, Literal

import numpy as np

from greycard.metrics.by_group import Floats, Ints
from greycard.metrics.prediction.disparities import ratio
from greycard.schema import unknown

BINS = 15
Recalibration = Callable[[Floats], Floats]
Refit = Literal["temperature", "platt", "linear", "isotonic"]
_FLOOR = 1e-12  # probabilities below count as this in logits


def ece_columns(probabilities: Floats, labels: Ints, bins: int = BINS) -> Floats:
    """Return each row's (confidence - right) in the column of its confidence bin: (N, bins).

    Bins have equal width and include their upper edge. Sums over rows then give the ECE of any group (``ece``).
    """
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    column = np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)
    table = np.zeros((len(labels), bins))
    table[np.arange(len(labels)), column] = confidence - right
    return table


def ece(sums: Floats, rows: Floats) -> Floats:
    """Return the expected calibration error: (...) in [0, 1], lower is better, NaN without rows.

    It is biased upwards by about the noise of a bin, more in small groups.

    Args:
        sums: (..., bins) summed ``ece_columns``.
        rows: (...) their number.

    Example:
        >>> certain = np.array([[1.0, 0.0], [1.0, 0.0], [0.2, 0.8], [0.2, 0.8]])
        >>> ece(ece_columns(certain, np.array([0, 1, 1, 1])).sum(axis=0), np.array(4.0)).round(3).item()
        0.35
    """
    return ratio(np.abs(sums).sum(axis=-1), rows)


def fit_temperature(probabilities: Floats, labels: Ints) -> Recalibration:
    """Fit one temperature: ``softmax(log p / T)`` of the least negative log-likelihood; decisions stay."""
    scale, logits = _logits(probabilities)

    def spread(parameters: Floats) -> Floats:
        return np.asarray(np.exp(parameters[0]) * logits / scale)

    def gradient(residuals: Floats, parameters: Floats) -> Floats:
        return np.array([(residuals * spread(parameters)).sum()])

    (log_a,) = _minimise(spread, gradient, np.log([max(scale, _FLOOR)]), labels, [(-12.0, 12.0)])
    return lambda p: _softmax(np.exp(log_a) / scale * _logits(p)[1])


def fit_platt(probabilities: Floats, labels: Ints) -> Recalibration:
    """Fit a scale and an offset per class: ``softmax(a · log p + b)`` of the least negative log-likelihood.

    Of two classes it is Platt's sigmoid of the log-odds. Decisions may change.
    """
    scale, logits = _logits(probabilities)
    classes = probabilities.shape[1]

    def spread(parameters: Floats) -> Floats:
        return np.asarray(parameters[0] * logits / scale + np.concatenate([[0.0], parameters[1:]]))

    def gradient(residuals: Floats, parameters: Floats) -> Floats:
        return np.concatenate([[(residuals * logits / scale).sum()], residuals.sum(axis=0)[1:]])

    start = np.concatenate([[1.0], np.zeros(classes - 1)])
    a, *offsets = _minimise(spread, gradient, start, labels, [(-1e3, 1e3)] * classes)
    return lambda p: _softmax(a / scale * _logits(p)[1] + np.array([0.0, *offsets]))


def fit_linear(probabilities: Floats, labels: Ints) -> Recalibration:
    """Fit one stretch about uniform: ``s (p - 1 / K) + 1 / K`` of the least negative log-likelihood; decisions stay.

    s goes from 0 to where the fitted rows' smallest probability is 0; beyond that, other rows are cut to [0, 1].
    """
    from scipy.optimize import minimize_scalar

    uniform = 1 / probabilities.shape[1]
    widest = uniform - float(probabilities.min())
    if widest < _FLOOR:
        return lambda p: p
    of_label = (probabilities[np.arange(len(labels)), labels] - uniform) * uniform / widest

    def loss(share: float) -> float:
        return -float(np.log(np.maximum(uniform + share * of_label, _FLOOR)).mean())

    found = minimize_scalar(loss, bounds=(0.0, 1.0), method="bounded", options={"xatol": 1e-9})
    stretch = float(found.x) * uniform / widest

    def apply(p: Floats) -> Floats:
        stretched = np.clip(uniform + stretch * (p - uniform), 0.0, 1.0)
        return np.asarray(stretched / stretched.sum(axis=1, keepdims=True))

    return apply


def fit_isotonic(probabilities: Floats, labels: Ints) -> Recalibration:
    """Fit a rising function of each class's probability; several classes are scaled to sum 1 again."""
    from sklearn.isotonic import IsotonicRegression

    classes = probabilities.shape[1]
    chosen = [1] if classes == 2 else list(range(classes))
    curves: list[Any] = [
        IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(probabilities[:, a], labels == a) for a in chosen
    ]

    def apply(p: Floats) -> Floats:
        values = np.stack([curve.predict(p[:, a]) for a, curve in zip(chosen, curves, strict=True)], axis=1)
        if classes == 2:
            return np.concatenate([1 - values, values], axis=1)
        total = values.sum(axis=1, keepdims=True)
        return np.where(total > 0, values / np.where(total > 0, total, 1.0), 1 / classes)

    return apply


REFITS: Final[dict[str, Callable[[Floats, Ints], Recalibration]]] = {
    "temperature": fit_temperature,
    "platt": fit_platt,
    "linear": fit_linear,
    "isotonic": fit_isotonic,
}


def fit_recalibration(kind: str, probabilities: Floats, labels: Ints) -> Recalibration:
    """Fit one of ``REFITS`` and return the function that recalibrates (N, K) probabilities.

    Args:
        kind: "temperature", "platt", "linear" or "isotonic".
        probabilities: (N, K) of the rows to fit on.
        labels: (N,) codes; rows with -1 are left out.

    Raises:
        ValueError: the kind is unknown or no row has a label.
    """
    if kind not in REFITS:
        raise ValueError(unknown("recalibration", kind, list(REFITS)))
    known = labels >= 0
    if not known.any():
        raise ValueError(f"{kind}: no row with a known label to fit on")
    return REFITS[kind](probabilities[known], labels[known])


def _logits(probabilities: Floats) -> tuple[float, Floats]:
    """Return log p, centred over classes, and its root mean square (1 where all are uniform)."""
    logits = np.log(np.maximum(probabilities, _FLOOR))
    logits -= logits.mean(axis=1, keepdims=True)
    return float(np.sqrt(np.square(logits).mean())) or 1.0, logits


def _softmax(logits: Floats) -> Floats:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def _minimise(
    spread: Callable[[Floats], Floats],
    gradient: Callable[[Floats, Floats], Floats],
    start: Floats,
    labels: Ints,
    bounds: list[tuple[float, float]],
) -> Floats:
    """Minimise the mean negative log-likelihood of softmax(spread(parameters)), which is convex in the logits."""
    from scipy.optimize import minimize

    rows = np.arange(len(labels))

    def loss(parameters: Floats) -> tuple[float, Floats]:
        logits = spread(parameters)
        top = logits.max(axis=1, keepdims=True)
        powers = np.exp(logits - top)
        total = powers.sum(axis=1, keepdims=True)
        likelihoods = logits[rows, labels] - top[:, 0] - np.log(total[:, 0])
        residuals = powers / total
        residuals[rows, labels] -= 1
        return -likelihoods.mean(), gradient(residuals, parameters) / len(labels)

    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"ftol": 1e-15, "gtol": 1e-9})
    return np.asarray(found.x, np.float64)
