"""What a run has come to, read from its directory: also while it goes on, and after it was killed."""

from __future__ import annotations

import json
import os
from functools import cached_property
from pathlib import Path

from . import _program
from ._errors import NoBest, TryoutError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_WORDS = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}
_FIRST = "trial id status iterations attempts failures checkpoints seconds ending reason".split()


def _numbers(metrics: dict[str, Any]) -> dict[str, Any]:
    """What JSON has as a text, because it has no such number, as a number."""
    return {name: _WORDS.get(value, value) if isinstance(value, str) else value for name, value in metrics.items()}


class TrialResult:
    """One trial: its configuration and what came of it."""

    def __init__(self, run: Path, record: dict[str, Any]) -> None:
        #: All that is known, as `tryout show --json` has it.
        self.record = record
        self.number: int = record["number"]
        self.id: str = record["id"]
        #: PENDING, RUNNING, PAUSED, TERMINATED or ERROR.
        self.status: str = record["status"]
        self.config: dict[str, Any] = record["config"]
        #: Its value of the objective; None without one.
        self.value: float | None = record["value"]
        #: How many results it has reported.
        self.iterations: int = record["iterations"]
        #: The last report.
        self.metrics: dict[str, Any] = _numbers((record["last"] or {}).get("metrics", {}))
        #: Why it ended or was paused, if anybody said.
        self.reason: str | None = record.get("reason")
        self._run = run

    @property
    def history(self) -> list[dict[str, Any]]:
        """The reports that are kept, each with its `training_iteration`."""
        reports = self.record["history"]
        return [{"training_iteration": each["training_iteration"], **_numbers(each["metrics"])} for each in reports]

    @property
    def error(self) -> str | None:
        """The last failure, with its traceback; None if there was none."""
        failures = self.record.get("failures")
        if not failures:
            return None
        output = "\n".join(failures[-1].get("output") or ())
        return failures[-1].get("trace") or "\n".join(filter(None, (failures[-1]["message"], output)))

    @property
    def dir(self) -> Path:
        """Its directory: `stdout.txt`, `stderr.txt`, `work`, and its checkpoints."""
        return self._run / self.id

    @property
    def checkpoint(self) -> Path | None:
        """The directory of its last checkpoint, if there is one."""
        kept = self.record.get("checkpoints")
        return self.dir / f"checkpoint_{kept[-1]['id']['index']:06}" if kept else None

    def __repr__(self) -> str:
        return f"<trial {self.number} {self.status} value={self.value} config={self.config}>"


class Picture:
    """A file with a picture. A notebook shows it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __fspath__(self) -> str:
        return str(self.path)

    def __repr__(self) -> str:
        return f"<picture {self.path}>"

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        if self.path.suffix == ".svg":
            return {"image/svg+xml": self.path.read_text(encoding="utf-8")}
        return {"image/png": self.path.read_bytes()}


class Results:
    """What a run has come to. It is read when it is first asked for, then kept; `Results(dir)` reads it anew."""

    def __init__(self, dir: str | os.PathLike[str]) -> None:
        self.dir = Path(os.path.abspath(dir))

    @cached_property
    def summary(self) -> dict[str, Any]:
        """As `tryout status --json` has it."""
        summary: dict[str, Any] = json.loads(_program.ask("status", "--json", "--dir", str(self.dir)))
        return summary

    @property
    def name(self) -> str:
        return str(self.summary["name"])

    @property
    def outcome(self) -> str:
        """`completed`, `stopped` (by a limit or a rule), `drained`, `failed`, `cut_off` (it was killed), or `running`."""
        return str(self.summary["state"])

    @property
    def seconds(self) -> float:
        """How long it took, all sessions together."""
        return float(self.summary["took_s"])

    @cached_property
    def trials(self) -> list[TrialResult]:
        """All trials, in the order of their creation."""
        lines = _program.ask("show", "--json", "--dir", str(self.dir)).split("\n")
        return [TrialResult(self.dir, json.loads(line)) for line in lines if line]

    @property
    def errors(self) -> list[TrialResult]:
        """The trials that failed: `error` of each has the traceback."""
        return [trial for trial in self.trials if trial.status == "ERROR"]

    @cached_property
    def best(self) -> TrialResult:
        """The trial with the best value of the objective."""
        best = self.summary["best"]
        if best is not None:
            text = _program.ask("show", str(best["number"]), "--json", "--dir", str(self.dir))
            return TrialResult(self.dir, json.loads(text))
        why = f"no trial of {self.name!r} has a value of the objective" if self.summary["objective"] else (
            f"{self.name!r} has no objective: say `minimize=` or `maximize=`"
        )  # fmt: skip
        failed = next(iter(self.errors), None)
        raise NoBest(why if failed is None else f"{why}; trial {failed.number} failed:\n{failed.error}")

    def rows(self, what: str = "trials") -> list[dict[str, Any]]:
        """A dict for each trial, or with `"reports"` for each report that is kept: flat, as `tryout trials` shows them."""
        if what not in ("trials", "reports"):
            raise ValueError(f"{what!r} are no rows of a run: it has 'trials' and 'reports'")
        lines = _program.ask("export", "--what", what, "--format", "jsonl", "--dir", str(self.dir)).split("\n")
        return [_numbers(json.loads(line)) for line in lines if line]

    def dataframe(self, what: str = "trials") -> Any:
        """The same as a `pandas.DataFrame`."""
        try:
            from importlib import import_module

            pandas: Any = import_module("pandas")
        except ImportError as error:
            raise ImportError("a dataframe needs pandas (`pip install pandas`); rows() has the same as dicts") from error
        rows = self.rows(what)
        names = {name: None for row in rows for name in row}
        first = [name for name in _FIRST if name in names]
        config = [name for name in names if name.startswith("config/")]
        return pandas.DataFrame(rows, columns=list(dict.fromkeys([*first, *config, *names])))

    def plot(self, view: str = "history", out: str | os.PathLike[str] | None = None) -> Picture:
        """A picture, by `tryout plot`, as `.svg` or `.png`. Default: `VIEW.svg` in the run's directory."""
        path = Path(out) if out is not None else self.dir / f"{view}.svg"
        try:
            _program.ask("plot", view, "--dir", str(self.dir), "--out", str(path))
        except TryoutError as error:
            if "unrecognized subcommand" in str(error):
                raise TryoutError(f"{_program.find()} has no verb `plot`: it is older than this package") from None
            raise
        return Picture(path)

    def __repr__(self) -> str:
        trials, best = self.summary["trials"], self.summary["best"]
        found = f", best {best['value']} with {best['config']}" if best else ""
        return f"<results of {self.name!r}: {self.outcome}, {trials} trials{found}>"
