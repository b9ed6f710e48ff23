"""Searchers, schedulers and stop rules. Each function gives what an experiment file has: `{"asha": {"max_t": 20}}`.

Those that are used most have their settings here by name; all have all that `tryout schema` lists, and `tryout` checks them.
A setting that isn't given has its default there.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Union

    Part = dict[str, Any]
    # A number of seconds, or a text such as "1h 30m".
    Time = Union[float, str]

__all__ = [
    "asha",
    "at_least",
    "at_most",
    "auto",
    "cma_es",
    "experiment_time",
    "gaussian_process",
    "hyper_band",
    "iterations",
    "median_stopping",
    "nsga2",
    "pbt",
    "quasi_random",
    "tpe",
    "trial_plateau",
    "trial_time",
]

#: Parts without a function of their own: any keyword is a setting.
OTHERS = frozenset(
    "all any best_reached budget capped concurrency_limiter distinct experiment_plateau fifo mo_asha no_improvement patient "
    "percentile points repeater replay resource_changing threshold variants warm_start wilcoxon within".split()
)


def part(name: str, /, **settings: Any) -> Part:
    """A part by its name, with those settings that aren't None."""
    return {name: {key: value for key, value in settings.items() if value is not None}}


def other(name: str) -> Callable[..., Part]:
    """The function of a part that has none of its own."""

    def build(**settings: Any) -> Part:
        return part(name, **settings)

    build.__name__ = build.__qualname__ = name
    build.__doc__ = f"The part `{name}`, with the settings that `tryout schema` lists."
    return build


def asha(
    *,
    max_t: int | None = None,
    grace_period: int | None = None,
    reduction_factor: float | None = None,
    brackets: int | None = None,
    form: str | None = None,
    **settings: Any,
) -> Part:
    """Stops the worse part of the trials at each rung, without waiting for the others: the default choice for many trials.

    A trial is over at `max_t` iterations (default 100), and safe before `grace_period` (1); one in `reduction_factor` (4)
    passes a rung. `form="promotion"` pauses at rungs and promotes the best.
    """
    return part(
        "asha",
        max_t=max_t,
        grace_period=grace_period,
        reduction_factor=reduction_factor,
        brackets=brackets,
        form=form,
        **settings,
    )


def hyper_band(*, max_t: int | None = None, reduction_factor: float | None = None, **settings: Any) -> Part:
    """Pauses at rungs until the whole bracket is there: many budgets at once. Defaults: `max_t` 81, `reduction_factor` 3."""
    return part("hyper_band", max_t=max_t, reduction_factor=reduction_factor, **settings)


def median_stopping(*, grace_period: float | None = None, min_samples: int | None = None, **settings: Any) -> Part:
    """Stops a trial that is worse than the median of at least `min_samples` (3), after `grace_period` (1) iterations."""
    return part("median_stopping", grace_period=grace_period, min_samples=min_samples, **settings)


def pbt(
    *,
    mutations: dict[str, Any] | None = None,
    perturbation_interval: float | None = None,
    quantile_fraction: float | None = None,
    resample_probability: float | None = None,
    exploration: str | None = None,
    **settings: Any,
) -> Part:
    """The worst go on as mutated copies of the best, every `perturbation_interval` (10) iterations: finds a schedule.

    `mutations` is a space. Trials have to save checkpoints. `exploration="bandit"` is PB2.
    """
    return part(
        "pbt",
        mutations=mutations,
        perturbation_interval=perturbation_interval,
        quantile_fraction=quantile_fraction,
        resample_probability=resample_probability,
        exploration=exploration,
        **settings,
    )


def tpe(*, startup: int | None = None, candidates: int | None = None, **settings: Any) -> Part:
    """The tree-structured Parzen estimator: the first choice that learns. The first `startup` (10) trials are random."""
    return part("tpe", startup=startup, candidates=candidates, **settings)


def auto(*, parallel: int | None = None, **settings: Any) -> Part:
    """For whoever doesn't want to choose: by the space and `samples`, with so many trials at a time (`parallel`, 1)."""
    return part("auto", parallel=parallel, **settings)


def gaussian_process(*, startup: int | None = None, **settings: Any) -> Part:
    """Bayesian optimisation: the best results for expensive trials, up to two hundred of them."""
    return part("gaussian_process", startup=startup, **settings)


def cma_es(*, sigma: float | None = None, population: int | None = None, **settings: Any) -> Part:
    """Numbers, whole or not, and choices, hundreds of trials, functions that are rough or badly scaled."""
    return part("cma_es", sigma=sigma, population=population, **settings)


def nsga2(*, objectives: list[Any] | None = None, population: int | None = None, **settings: Any) -> Part:
    """Evolution of configurations, for several objectives (`[{"min": "loss"}, {"max": "speed"}]`) or one."""
    return part("nsga2", objectives=objectives, population=population, **settings)


def quasi_random(**settings: Any) -> Part:
    """Random search without gaps and clusters."""
    return part("quasi_random", **settings)


def iterations(limit: int) -> Part:
    """A stop rule: a trial is over after so many results."""
    return part("iterations", limit=limit)


def at_most(metric: str, bound: float) -> Part:
    """A stop rule: a trial is over when its metric is at most this."""
    return part("at_most", metric=metric, bound=bound)


def at_least(metric: str, bound: float) -> Part:
    """A stop rule: a trial is over when its metric is at least this."""
    return part("at_least", metric=metric, bound=bound)


def trial_time(limit: Time) -> Part:
    """A stop rule: a trial is over when it has worked for so long, in seconds or as `"10m"`."""
    return part("trial_time", limit=limit)


def experiment_time(limit: Time) -> Part:
    """A stop rule: the whole run is over after so long, in seconds or as `"8h"`."""
    return part("experiment_time", limit=limit)


def trial_plateau(metric: str, *, std: float | None = None, num_results: int | None = None, **settings: Any) -> Part:
    """A stop rule: a trial is over when its last `num_results` (4) values differ by less than `std` (0.01)."""
    return part("trial_plateau", metric=metric, std=std, num_results=num_results, **settings)
