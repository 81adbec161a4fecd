"""What a search varies and what it wants: parameters with their ranges, and goals with their directions.

A parameter drawn on a log scale (λ in [0.1, 1000]) is uniform in its logarithm.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import optuna

from greycard.config import BY_KIND
from greycard.schema import unknown

Value = bool | int | float | str


@dataclass(frozen=True, slots=True, kw_only=True)
class Float:
    """A real number in [low, high].

    Attributes:
        low: smallest value; above 0 where ``log``.
        high: largest value.
        log: uniform in the logarithm.
    """

    kind: Literal["float"] = "float"
    low: float
    high: float
    log: bool = False

    def __post_init__(self) -> None:
        _check_range("float", self.low, self.high, self.log)

    def distribution(self) -> optuna.distributions.FloatDistribution:
        """Return it as Optuna knows it."""
        return optuna.distributions.FloatDistribution(self.low, self.high, log=self.log)

    def ends(self) -> tuple[Value, ...]:
        """Return the values at its border."""
        return (float(self.low), float(self.high))


@dataclass(frozen=True, slots=True, kw_only=True)
class Int:
    """A whole number in [low, high].

    Attributes:
        low: smallest value; at least 1 where ``log``.
        high: largest value.
        log: uniform in the logarithm.
    """

    kind: Literal["int"] = "int"
    low: int
    high: int
    log: bool = False

    def __post_init__(self) -> None:
        _check_range("int", self.low, self.high, self.log)

    def distribution(self) -> optuna.distributions.IntDistribution:
        """Return it as Optuna knows it."""
        return optuna.distributions.IntDistribution(self.low, self.high, log=self.log)

    def ends(self) -> tuple[Value, ...]:
        """Return the values at its border."""
        return (int(self.low), int(self.high))


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One of several values without an order.

    Attributes:
        values: each at most once.
    """

    kind: Literal["choice"] = "choice"
    values: tuple[Value, ...]

    def __post_init__(self) -> None:
        if not self.values or len(set(self.values)) < len(self.values):
            raise ValueError(f"a choice needs one or more different values, got {list(self.values)}")

    def distribution(self) -> optuna.distributions.CategoricalDistribution:
        """Return it as Optuna knows it."""
        return optuna.distributions.CategoricalDistribution(self.values)

    def ends(self) -> tuple[Value, ...]:
        """Return all of its values."""
        return tuple(self.values)


Parameter = Annotated[Float | Int | Choice, BY_KIND]


def check_point(space: Mapping[str, Parameter], point: Mapping[str, Value], place: str) -> None:
    """Raise ``ValueError`` unless a point names every parameter of the space with a value in its range."""
    for name in point:
        if name not in space:
            raise ValueError(f"{place}: {unknown('parameter', name, list(space))}")
    for name, parameter in space.items():
        if name not in point:
            raise ValueError(f"{place} has no value for {name!r}: a point names every parameter, {', '.join(space)}")
        value, within = point[name], " or ".join(map(repr, parameter.ends()))
        if isinstance(parameter, Choice):
            inside = value in parameter.values
        else:
            within = f"in [{parameter.low:g}, {parameter.high:g}]"
            kinds = (int,) if isinstance(parameter, Int) else (int, float)
            inside = type(value) in kinds and parameter.low <= float(value) <= parameter.high
        if not inside:
            raise ValueError(f"{place}: {name} must be {within}, got {value!r}; widen the space or move the point")


def check_domain(space: Mapping[str, Parameter], accept: Callable[[dict[str, Value]], Any]) -> None:
    """Refuse a space that reaches where a trial's config can not be built.

    Each parameter is set to each of its ends (every value of a choice) while the others keep their first.

    Args:
        space: what is searched.
        accept: builds whatever takes the settings, such as a loss's config; raises ``ValueError`` where it refuses.

    Raises:
        ValueError: a setting is refused; names the parameter, the value and the reason.
    """
    if not space:
        raise ValueError("a search needs a space of one or more parameters, got none")
    first = {name: parameter.ends()[0] for name, parameter in space.items()}
    for name, parameter in space.items():
        for value in parameter.ends():
            try:
                accept(first | {name: value})
            except ValueError as error:
                raise ValueError(
                    f"the space reaches outside what a trial accepts: {name}={value!r}: {error}"
                ) from error


def _check_range(kind: str, low: float, high: float, log: bool) -> None:
    if not (math.isfinite(low) and math.isfinite(high) and low <= high):
        raise ValueError(f"a {kind} parameter needs finite low <= high, got low={low}, high={high}")
    least = 1 if kind == "int" else 0
    if log and (low <= 0 or low < least):
        raise ValueError(
            f"a {kind} parameter on a log scale needs low {'>= 1' if least else '> 0'}, got {low}; raise low, or "
            "search it on a linear scale (log: false)"
        )
