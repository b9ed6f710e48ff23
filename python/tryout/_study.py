"""Many processes, one study: trials that whoever asks works on, under leases (`docs/control.md`)."""

from __future__ import annotations

from . import _control, _run
from ._errors import NotRunning, Refused
from ._spec import plain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from ._live import Run
    from ._results import Results

#: A question waits so many seconds for a trial, and is asked again.
_WAIT = 30.0


class Asked:
    """A trial that was given to this process. It is lost once nothing was told of it for as long as its lease."""

    def __init__(self, run: str, given: dict[str, Any]) -> None:
        self._run = run
        self.id: str = given["trial"]
        #: Its number, from 0 in the order of their creation.
        self.number = int(self.id.rpartition("_")[2])
        self.config: dict[str, Any] = given["config"]
        #: The number of its attempt, from 1: more than 1 if it was given before, and was lost or failed.
        self.attempt: int = given["attempt"]
        self._lease = given["lease"]

    def report(self, metrics: Mapping[str, Any] | None = None, /, **more: Any) -> bool:
        """Reports metrics, and says whether the trial goes on. If not, it is over for this process: ask for another one.

        Raises `Refused` if it was lost, and `NotRunning` if the run is over.
        """
        return self._tell({"metrics": plain({**(metrics or {}), **more})})

    def done(self, metrics: Mapping[str, Any] | None = None, /, **more: Any) -> None:
        """The trial has done all that there was to do; with a last report, if there are metrics."""
        last = plain({**(metrics or {}), **more})
        self._tell({"metrics": last or None, "end": "done"})

    def fail(self, why: str) -> None:
        """The trial failed."""
        self._tell({"end": {"failed": str(why)}})

    def renew(self) -> bool:
        """Says that this process still works on it, and whether it is to go on: for steps that are longer than the lease."""
        return self._tell({})

    def _tell(self, said: dict[str, Any]) -> bool:
        return bool(_control.ask(self._run, {"tell": {"lease": self._lease, **said}})[1] == "go_on")

    def __repr__(self) -> str:
        return f"<trial {self.number} of {self._run!r}>"


class Study:
    """A run whose trials are given to whoever asks for them. Made by `study` and `join`."""

    def __init__(self, run: Run) -> None:
        #: The run: watched and steered as any other.
        self.run = run

    @property
    def dir(self) -> str:
        """The run's directory: another process joins by it."""
        return self.run.dir

    def ask(self, lease: float = 60.0) -> Asked | None:
        """A trial to work on, as soon as there is one; None once the run is over, so that there will be none any more.

        It is lost, and given to another process, once nothing was told of it for `lease` seconds.
        """
        while True:
            try:
                given = _control.ask(self.dir, {"ask": {"lease_s": lease, "wait_s": _WAIT}})[1]
            except NotRunning:
                return None
            except Refused as refused:
                if refused.code == "over":
                    return None
                raise
            if given is not None:
                return Asked(self.dir, given)

    def __iter__(self) -> Iterator[Asked]:
        """Asks for one trial after the other, until the run is over."""
        while (trial := self.ask()) is not None:
            yield trial

    @property
    def results(self) -> Results:
        """What there is so far."""
        return self.run.results

    def wait(self) -> Results:
        """Waits until the run is over."""
        return self.run.wait()

    def __repr__(self) -> str:
        return f"<study in {self.dir!r}>"


def study(*, askers: int = 16, **said: Any) -> Study:
    """Starts a run whose trials are given to whoever asks: this process, and all that `join` it.

    It takes what `start` takes, but a `train` and `resources`. `askers` is how many trials may be open at once. The run ends with
    this process, as with `start`; one that is to outlive it is begun by `tryout run` with a file that says `ask_tell = true`.
    """
    said.setdefault("progress", False)
    return Study(_run.start(ask_tell=True, machine={"cpu": askers}, **said))


def join(dir: _run.Directory) -> Study:
    """The study in this directory, whoever has started it on this machine."""
    return Study(_run.attach(dir))
