"""The program `tryout`: where it is, and asking it about a run's directory."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig

from ._errors import ProgramNotFound, TryoutError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

VARIABLE = "TRYOUT_BINARY"
NAME = "tryout"


def _places() -> Iterator[str]:
    """Where a wheel puts its scripts: beside this Python, then in the scheme of a user."""
    yield os.path.dirname(sys.executable)
    yield sysconfig.get_path("scripts")
    yield sysconfig.get_path("scripts", f"{os.name}_user")


def find() -> str:
    """The program's path: what `TRYOUT_BINARY` says, else from the wheel, else from `PATH`."""
    said = os.environ.get(VARIABLE)
    if said:
        if os.access(said, os.X_OK) and os.path.isfile(said):
            return os.path.abspath(said)
        raise ProgramNotFound(f"{VARIABLE} is {said!r}, which is no program that can be run")
    for place in _places():
        path = os.path.join(place, NAME)
        if os.access(path, os.X_OK) and os.path.isfile(path):
            return path
    found = shutil.which(NAME)
    if found is None:
        raise ProgramNotFound(
            f"the program `{NAME}` is neither beside {sys.executable} nor in PATH: `pip install` the wheel, which has it "
            f"(`.ci/wheel` builds one), or `cargo install --path . --features cli`, or say where it is by {VARIABLE}"
        )
    return found


def ask(*arguments: str) -> str:
    """What it prints. If it ends with an error, that is raised with its words."""
    done = subprocess.run([find(), *arguments], stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8", check=False)
    if done.returncode != 0:
        raise TryoutError(
            done.stderr.strip().removeprefix("error: ") or f"{NAME} {arguments[0]} ended with {done.returncode}"
        )
    return done.stdout
