"""How a trial finds its function again: each worker runs the script once more, up to the call that it serves.

`TRYOUT_FRONT` says in a worker which call that is: a JSON list with the run directories of the script's calls so far, the
last of which is its own. A function that stands in a module of its own is imported instead, by `python -m tryout_worker
MODULE:NAME`.
"""

from __future__ import annotations

import atexit
import json
import os
import sys
import sysconfig

import tryout_worker

from ._errors import TryoutError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

VARIABLE = "TRYOUT_FRONT"

# As they were before the script had a chance to change them.
_ARGUMENTS = list(sys.argv[1:])
#: The run directories of the calls so far, in this process or in the one whose worker it is.
_runs: list[str] = []
_calls = 0
_waiting = "TRYOUT_FACTS" in os.environ
IS_WORKER = _waiting

if IS_WORKER:
    # Before the script can read its standard input, or start other processes.
    tryout_worker._connect()
    _runs = json.loads(os.environ.pop(VARIABLE, '[""]'))


def _unserved() -> None:
    if _waiting:
        print(
            "tryout: the script ended in a worker before it came to the call of tryout.run that it is to serve",
            file=sys.stderr,
        )


if IS_WORKER:
    atexit.register(_unserved)


def enter(train: Any) -> str | None:
    """Begins a call. In a worker it serves `train` and never returns, or answers the directory of an earlier call's run."""
    global _calls, _waiting
    if not IS_WORKER:
        if _is_of_multiprocessing():
            raise TryoutError(
                "this process was started by multiprocessing and runs the script again: put what is for the script alone, "
                'the call of tryout.run too, below `if __name__ == "__main__":`'
            )
        return None
    if tryout_worker._trial is not None:
        raise TryoutError("a trial can't begin a run of its own")
    _calls += 1
    if _calls < len(_runs):
        return _runs[_calls - 1]
    _waiting = False
    tryout_worker.serve(train)
    # Nothing of the script that comes after it is for a worker.
    raise SystemExit(0)


def _is_of_multiprocessing() -> bool:
    """Whether multiprocessing has started this process, or is about to import the script in it."""
    processes: Any = sys.modules.get("multiprocessing.process")
    if processes is None:
        return False
    return processes.parent_process() is not None or getattr(processes.current_process(), "_inheriting", False)


def started(run: str) -> None:
    """A call's run is there."""
    _runs.append(run)


def command(train: Any, run: str) -> tuple[list[str], dict[str, str]]:
    """The program of a worker for `train`, and the variables of its environment."""
    module = _module(train)
    if module is not None:
        path = [os.path.abspath(place) for place in sys.path]
        return (
            [sys.executable, "-m", "tryout_worker", f"{module}:{train.__qualname__}"],
            {"PYTHONPATH": os.pathsep.join(path)},
        )
    return [sys.executable, *_script(train), *_ARGUMENTS], {VARIABLE: json.dumps([*_runs, run])}


def _module(train: Any) -> str | None:
    """The module that has it under its name, if that isn't the script."""
    module = getattr(train, "__module__", None)
    if module is None or module == "__main__" or getattr(sys.modules.get(module), "__file__", None) is None:
        return None
    found: Any = sys.modules[module]
    for name in getattr(train, "__qualname__", "").split("."):
        found = getattr(found, name, None)
    return module if found is train else None


def _script(train: Any) -> list[str]:
    """The words that run the script again."""
    main = sys.modules["__main__"]
    file = getattr(main, "__file__", None)
    name = getattr(train, "__qualname__", repr(train))
    short = name.rpartition(".")[2]
    if file is None or not os.path.isfile(file):
        raise TryoutError(
            f"{name} was written in a notebook or at a prompt, where no worker can find it: give tryout.run what "
            f'`{short} = tryout.to_module({short}, "my_train.py")` returns, which writes it to a file'
        )
    file = os.path.abspath(file)
    installed = {sysconfig.get_path(place) for place in ("scripts", "purelib", "platlib", "stdlib")}
    if any(file.startswith(os.path.join(place, "")) for place in installed):
        raise TryoutError(
            f"{name} can't be found by workers: it stands in no module under its own name, and {file} is no script of yours "
            "that could be run again. Move it to the top of a module"
        )
    if main.__spec__ is not None:
        return ["-m", main.__spec__.name.removesuffix(".__main__")]
    return [file]
