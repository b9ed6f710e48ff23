"""What a value of the space may be. Each function gives what an experiment file has in its place: `{"uniform": [0, 1]}`."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    Domain = dict[str, Any]

__all__ = ["choice", "constant", "grid", "int_", "log_int", "log_uniform", "normal", "uniform"]


def _domain(word: str, value: Any, quantum: float | None = None) -> Domain:
    return {word: value} if quantum is None else {word: value, "quantum": quantum}


def uniform(low: float, high: float, *, quantum: float | None = None) -> Domain:
    """A number from `low` to `high`, all equally likely; with `quantum` only multiples of it."""
    return _domain("uniform", [low, high], quantum)


def log_uniform(low: float, high: float, *, quantum: float | None = None) -> Domain:
    """A number from `low`, above 0, to `high`, all orders of magnitude equally likely."""
    return _domain("log_uniform", [low, high], quantum)


def normal(mean: float, deviation: float, *, quantum: float | None = None) -> Domain:
    """A number around `mean`, with this standard deviation."""
    return _domain("normal", [mean, deviation], quantum)


def int_(low: int, end: int, *, quantum: int | None = None) -> Domain:
    """An integer from `low` up to, but without, `end`: `tryout.int(2, 8)` is 2 to 7."""
    return _domain("int", [low, end], quantum)


def log_int(low: int, end: int, *, quantum: int | None = None) -> Domain:
    """An integer from `low`, above 0, up to, but without, `end`, all orders of magnitude equally likely."""
    return _domain("log_int", [low, end], quantum)


def choice(options: Iterable[Any]) -> Domain:
    """One of these, all equally likely. An option may be a domain itself."""
    return _domain("choice", list(options))


def grid(options: Iterable[Any]) -> Domain:
    """Each of these in turn, combined with those of every other grid."""
    return _domain("grid", list(options))


def constant(value: Any) -> Domain:
    """Always this value, also if it is a dict that looks like a domain. Any other value can stand there as it is."""
    return _domain("constant", value)
