"""A run that goes on: waiting for it, asking it, steering it."""

from __future__ import annotations

import fcntl
import json
import os
import queue
import re
import signal
import subprocess
import sys
import threading
import weakref

from . import _control
from ._errors import Interrupted, RunError, SpecError
from ._results import Results
from ._spec import plain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import IO, Any

#: Those whose engine is a child of this process: as long as they run, their pipe must stay open.
_going: set[Run] = set()
_pipes: weakref.WeakSet[IO[bytes]] = weakref.WeakSet()


def _let_go() -> None:
    """In a forked child: only the parent's end is to end the run."""
    for pipe in list(_pipes):
        pipe.close()


os.register_at_fork(after_in_child=_let_go)


class Run:
    """A run that goes on, in a child of this process or elsewhere on this machine: asked and steered by its directory.

    A trial is named by its number or its id.
    """

    def __init__(self, dir: str | os.PathLike[str]) -> None:
        self.dir = os.path.abspath(dir)
        self._process: subprocess.Popen[bytes] | None = None
        self._lines: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._pressed = 0
        self._answer: Results | None = None
        self._ended: tuple[dict[str, Any] | None] | None = None

    def wait(self) -> Results:
        """Waits for the end. Ctrl-C saves and pauses all trials and ends the run, a second one ends it at once.

        Raises `RunError` if the run couldn't go on, and `Interrupted`, a `KeyboardInterrupt`, if Ctrl-C ended it. A failed
        trial is a result: see `Results.errors`.
        """
        if self._process is None:
            _wait_for_lock(os.path.join(self.dir, "experiment.lock"))
            return Results(self.dir)
        if self._answer is None:
            self._answer = self._end(self._process)
        return self._answer

    def _end(self, process: subprocess.Popen[bytes]) -> Results:
        # An engine has one last word, however often it is waited for.
        if self._ended is None:
            self._ended = (self._next(),)
        (summary,) = self._ended
        self._patiently(process.wait)
        results = Results(self.dir)
        if summary is None:
            raise RunError(f"the engine of {self.dir!r} ended without a word, with code {process.returncode}", results)
        if summary["failure"] is not None:
            failed = next(iter(results.errors), None)
            trace = f"\ntrial {failed.number}:\n{failed.error}" if failed else ""
            raise RunError(f"the run couldn't go on: {summary['failure']}{trace}", results)
        if self._pressed and results.outcome != "completed":
            raise Interrupted(f"the run in {self.dir!r} was interrupted; `resume=True` goes on with it", results)
        return results

    def _begin(self, process: subprocess.Popen[bytes]) -> None:
        """Takes an engine, and waits until it runs, or is refused."""
        self._process = process
        _going.add(self)
        if process.stdin is not None:
            _pipes.add(process.stdin)
        for work in (self._listen, self._show):
            threading.Thread(target=work, args=(process,), name=f"tryout-{work.__name__}", daemon=True).start()
        first = self._next()
        if first is None or "started" not in first:
            self._patiently(process.wait)
            if first is not None and "refused" in first:
                # The place in a file that nobody wrote says nothing.
                raise SpecError(re.sub(r"^\S+\.json:(\d+:\d+:)? ", "", first["refused"]))
            raise RunError(f"the engine of {self.dir!r} ended before the run began, with code {process.returncode}")

    def _next(self) -> dict[str, Any] | None:
        """The next line of the engine; None at its end."""
        line: dict[str, Any] | None = self._patiently(self._lines.get)
        return line

    def _patiently(self, wait: Any) -> Any:
        """Waits; Ctrl-C is passed on to the engine, which ends the run in order."""
        while True:
            try:
                return wait()
            except KeyboardInterrupt:
                self._pressed += 1
                if self._process is not None:
                    self._process.send_signal(signal.SIGINT)

    def _listen(self, process: subprocess.Popen[bytes]) -> None:
        try:
            with process.stdout or open(os.devnull, "rb") as out:
                for line in out:
                    self._lines.put(json.loads(line))
        finally:
            self._lines.put(None)
            _going.discard(self)

    def _show(self, process: subprocess.Popen[bytes]) -> None:
        """Its progress, where a notebook or a test has put another standard error in the place of this process's."""
        with process.stderr or open(os.devnull, "rb") as out:
            for line in out:
                sys.stderr.write(line.decode(errors="replace"))

    @property
    def results(self) -> Results:
        """What there is so far."""
        return Results(self.dir)

    def ask(self, request: Any) -> Any:
        """The answer to any request of `docs/control.md`. `Refused` is raised if it isn't carried out."""
        return _control.ask(self.dir, request)[1]

    def _id(self, trial: int | str) -> str:
        return trial if isinstance(trial, str) else f"{self.ask('hello')['run']:05x}_{trial:05}"

    def _order(self, order: Any) -> Any:
        return self.ask({"order": order})

    def status(self) -> dict[str, Any]:
        """How the run stands."""
        status: dict[str, Any] = self.ask("status")
        names = ("PENDING", "RUNNING", "PAUSED", "TERMINATED", "ERROR")
        return {**status, "counts": dict(zip(names, status["counts"]))}

    def trial(self, trial: int | str) -> dict[str, Any] | None:
        """How a trial stands; None if there is no such trial."""
        found: dict[str, Any] | None = self.ask({"trial": self._id(trial)})
        return found

    def trials(self, first: int = 0, most: int = 10_000) -> list[dict[str, Any]]:
        """How these trials stand, in the order of their creation."""
        found: list[dict[str, Any]] = self.ask({"trials": {"from": first, "most": most}})
        return found

    def why(self, trial: int | str) -> str:
        """Why a trial isn't running, in words."""
        found = self.trial(trial)
        return f"there is no trial {trial}" if found is None else str(found["waits"])

    def pause(self, trial: int | str, *, wait: bool = False) -> None:
        """Pauses a trial at its next report; with `wait`, until it is paused and its checkpoint is durable."""
        name = self._id(trial)
        self.ask({"pause_and_wait": name} if wait else {"order": {"pause": name}})

    def unpause(self, trial: int | str) -> None:
        """Lets a paused trial go on when there is room."""
        self._order({"resume": self._id(trial)})

    def save(self, trial: int | str, *, wait: bool = False) -> None:
        """Writes a checkpoint at a trial's next report; with `wait`, until it is durable."""
        name = self._id(trial)
        self.ask({"save_and_wait": name} if wait else {"order": {"save": name}})

    def stop(self, trial: int | str | None = None) -> None:
        """Ends a trial; without one, the whole run, now."""
        self._order("stop_all" if trial is None else {"stop": self._id(trial)})

    def revive(self, trial: int | str) -> None:
        """Lets a trial that has ended go on from its last checkpoint: a failed one again, a finished one further."""
        self._order({"revive": self._id(trial)})

    def add(self, config: Mapping[str, Any]) -> str:
        """Adds a trial with this configuration; answers its id."""
        return str(self._order({"add": plain(config)})["trial"])

    def prioritise(self, trial: int | str, priority: int) -> None:
        """Trials with a higher priority are launched first. All have 0 at first."""
        self._order({"prioritise": [self._id(trial), priority]})

    def concurrency(self, most: int | None) -> None:
        """From now on at most so many trials at once; None: as many as the resources allow."""
        self._order({"concurrency": most})

    def proceed(self) -> None:
        """Lets a run go on that is held because the same error came again and again."""
        self._order("proceed")

    def drain(self, within: float = 30.0) -> None:
        """Saves and pauses all trials within so many seconds, then ends the run: `resume=True` goes on with it."""
        self.ask({"drain": {"within_s": within}})

    def events(self) -> Iterator[dict[str, Any]]:
        """What happens from this call on, until the run ends."""
        return _control.events(self.dir)

    def __repr__(self) -> str:
        return f"<run in {self.dir!r}>"


def _wait_for_lock(path: str) -> None:
    """Waits until nobody runs it any more."""
    with open(path, "rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
