"""Runs experiments of many trials: hyperparameter search, simulation sweeps.

    import tryout

    def train(config):
        loss = 1.0
        for epoch in range(config["epochs"]):
            loss *= 1 - config["lr"]
            yield {"loss": loss}                      # or tryout.report(loss=loss); or a class; or a Ray Trainable

    results = tryout.run(
        train, space={"lr": tryout.log_uniform(1e-5, 1e-1), "epochs": 20}, minimize="loss", samples=100,
        scheduler=tryout.asha(max_t=20), dir="runs",
    )
    print(results.best.config, results.best.value)

The script is run again by each worker up to that call, so no `if __name__ == "__main__"` is needed. What is asked for
becomes an experiment file, which the program `tryout` runs: its settings are those of `docs/command-line.md`, under their
own names.
"""

from __future__ import annotations

# First of all: in a worker it takes over the standard input.
from . import _worker as _worker  # isort: skip
from tryout_worker import (
    Done,
    Save,
    Stopped,
    Trainable,
    Trial,
    TryoutHandler,
    checkpoint,
    new_checkpoint,
    report,
)

from . import _parts
from ._errors import Interrupted, NoBest, NotRunning, ProgramNotFound, Refused, RunError, SpecError, TryoutError
from ._live import Run
from ._module import to_module
from ._parts import (
    asha,
    at_least,
    at_most,
    auto,
    cma_es,
    experiment_time,
    gaussian_process,
    hyper_band,
    iterations,
    median_stopping,
    nsga2,
    pbt,
    quasi_random,
    tpe,
    trial_plateau,
    trial_time,
)
from ._results import Picture, Results, TrialResult
from ._run import attach, run, start
from ._space import choice, constant, grid, log_int, log_uniform, normal, uniform
from ._space import int_ as int  # noqa: F401
from ._study import Asked, Study, join, study
from ._worker import IS_WORKER as is_worker

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

# All but `int`, which would hide Python's own where everything is imported.
__all__ = [
    "Asked", "Done", "Interrupted", "NoBest", "NotRunning", "Picture", "ProgramNotFound", "Refused", "Results", "Run",
    "RunError", "Save", "SpecError", "Stopped", "Study", "Trainable", "Trial", "TrialResult", "TryoutError", "TryoutHandler",
    "asha", "at_least", "at_most", "attach", "auto", "checkpoint", "choice", "cma_es", "constant", "experiment_time",
    "gaussian_process", "grid", "hyper_band", "is_worker", "iterations", "join", "log_int", "log_uniform", "median_stopping",
    "new_checkpoint", "normal", "nsga2", "pbt", "quasi_random", "report", "run", "start", "study", "to_module", "tpe",
    "trial_plateau", "trial_time", "uniform",
]  # fmt: skip


def __getattr__(name: str) -> Callable[..., _parts.Part]:
    """Parts that have no function of their own: `tryout.wilcoxon(p_threshold=0.05)`."""
    if name not in _parts.OTHERS:
        raise AttributeError(f"module 'tryout' has no attribute {name!r}")
    return _parts.other(name)
