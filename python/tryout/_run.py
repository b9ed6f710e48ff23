"""Running an experiment: what is said becomes an experiment file, and a child of this process runs it by `tryout run`."""

from __future__ import annotations

import contextlib
import functools
import os
import subprocess
import sys

from . import _program, _spec, _worker
from ._errors import SpecError
from ._live import Run

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, Union

    from typing_extensions import ParamSpec

    from ._parts import Part
    from ._results import Results

    P = ParamSpec("P")
    Directory = Union[str, os.PathLike[str]]


def attach(dir: Directory) -> Run:
    """The run in this directory, whoever has started it on this machine."""
    if not os.path.isdir(os.path.join(dir, "journal")):
        raise FileNotFoundError(f"{os.fspath(dir)!r} is no run: there is no journal in it")
    return Run(dir)


def start(
    train: Any = None,
    *,
    space: Mapping[str, Any] | None = None,
    minimize: str | None = None,
    maximize: str | None = None,
    samples: int | str | None = None,
    scheduler: Part | str | None = None,
    searcher: Part | str | None = None,
    stop: Part | list[Part] | None = None,
    resources: Mapping[str, float] | None = None,
    name: str | None = None,
    dir: Directory = "runs",
    resume: bool = False,
    changed: bool = False,
    retry_failed: bool = False,
    extend: bool = False,
    drain: int = 30,
    progress: bool = True,
    **settings: Any,
) -> Run:
    """Starts an experiment, and returns as soon as it runs.

    `train` is a function of a configuration that yields dicts of metrics, or calls `report`, or returns a dict; a class with
    `setup` and `step` (`Trainable`); or a class written for Ray Tune. Workers run the script again up to this call, or
    import the module in which `train` stands: in them this call doesn't return.

    `space` says what each value of a configuration may be; `minimize` or `maximize` names the metric that counts; `samples`
    is the number of trials; `resources` what each needs (default: one cpu). Everything else in `settings` is a setting of
    experiment files under its own name: `seed=1`, `concurrency=4`, `points=[{..}]`, `checkpoints={"every": 5}`,
    `limits={"time": "8h"}` (`docs/command-line.md`).

    The run's directory is `name` below `dir`; without a name, that of `train`, with a number if that is taken. With `resume`
    it goes on with the run that is there, and begins one if there is none; `changed` says that the space or the objective
    may differ, `retry_failed` that trials that have failed are tried again, `extend` that those that have ended go on until
    the stop rules that are said now end them.

    Raises `SpecError` if anything in it can't work: nothing runs then.
    """
    earlier = _worker.enter(train)
    if earlier is not None:
        return Run(earlier)
    objective = {"min": minimize} if minimize is not None else {"max": maximize} if maximize is not None else None
    if minimize is not None and maximize is not None:
        raise SpecError(
            "`minimize` and `maximize` were both given: for several objectives see tryout.nsga2 and tryout.mo_asha"
        )
    if (changed or retry_failed or extend) and not resume:
        raise SpecError("`changed`, `retry_failed` and `extend` are for a run that goes on: say `resume=True` as well")
    said: dict[str, Any] = {
        "space": space,
        "samples": samples,
        "schedule": scheduler,
        "search": searcher,
        "resources": resources,
    }
    said.update(objective=objective, stop=[stop] if isinstance(stop, dict) else stop)
    said = {key: value for key, value in said.items() if value is not None}
    twice = sorted(said.keys() & settings.keys())
    if twice:
        raise SpecError(f"`{twice[0]}` was given twice, under two names")
    dir = os.path.abspath(dir)
    name = name or _spec.free(dir, _spec.base(train, settings), resume)
    spec = {**said, **settings, "name": name}
    flags = ["--resume"] * resume + ["--changed"] * changed + ["--retry"] * retry_failed + ["--extend"] * extend
    flags += ["--quiet"] * (not progress)
    run = Run(os.path.join(dir, name))
    try:
        if train is not None:
            worker, env = _worker.command(train, os.path.join(dir, name))
            process = dict(settings.get("process") or {})
            process["env"] = {**env, **process.get("env", {})}
            process.setdefault("name", getattr(train, "__qualname__", "train"))
            spec.update(worker=worker, process=process)
        run._begin(_launch([_spec.written(dir, name, spec), "--dir", dir, "--drain", str(drain), *flags]))
    except BaseException:
        # The name is free again, if nothing has come of it.
        with contextlib.suppress(OSError):
            os.rmdir(run.dir)
        raise
    _worker.started(run.dir)
    return run


def _waited(begin: Callable[P, Run]) -> Callable[P, Results]:
    """The same, to the end."""

    @functools.wraps(begin)
    def run(*arguments: P.args, **settings: P.kwargs) -> Results:
        return begin(*arguments, **settings).wait()

    run.__name__ = run.__qualname__ = "run"
    run.__doc__ = f"Runs an experiment to its end: `start(..).wait()`, with what `start` takes.\n\n    {begin.__doc__}"
    return run


run = _waited(start)


def _launch(arguments: list[str]) -> subprocess.Popen[bytes]:
    # The terminal's own is left to the engine, which knows how to draw on it.
    own = sys.stderr is sys.__stderr__
    return subprocess.Popen(
        [_program.find(), "run", "--json", "--with-parent", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=None if own else subprocess.PIPE,
        # Ctrl-C reaches this process alone, which passes it on.
        start_new_session=True,
    )
