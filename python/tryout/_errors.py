"""What can go wrong, each with words that say what would be right."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ._results import Results


class TryoutError(Exception):
    """The base of what this package raises."""


class SpecError(TryoutError, ValueError):
    """What was given can't work: nothing ran."""


class RunError(TryoutError):
    """The run couldn't go on. `results` has what was reached, if anything was."""

    def __init__(self, why: str, results: Results | None = None) -> None:
        super().__init__(why)
        self.results = results


class Interrupted(KeyboardInterrupt):
    """Ctrl-C ended the run: trials are saved, `resume=True` goes on with them. `results` has what was reached."""

    def __init__(self, why: str, results: Results) -> None:
        super().__init__(why)
        self.results = results


class Refused(TryoutError):
    """A live run didn't carry out what was asked, and nothing has changed. `code` is `malformed`, `impossible` or `over`."""

    def __init__(self, code: str, why: str) -> None:
        super().__init__(why)
        self.code = code


class NotRunning(TryoutError):
    """Nobody runs it at this moment, so it can't be asked or steered."""


class NoBest(TryoutError, LookupError):
    """No trial is the best one, because none has a value of the objective."""


class ProgramNotFound(TryoutError, FileNotFoundError):
    """The program `tryout` isn't there."""

    def __str__(self) -> str:
        return str(self.args[0])
