"""Watches a run of a tryout engine from Python: an observer that gets every event, a tracker that gets every trial.

The engine starts the program and writes one line of JSON for each event to its standard input (`EventProgram` in Rust); the
keys are those of `tryout::observe::JsonLines`. An observer of your own:

    from tryout_observer import Observer, watch

    class Print(Observer):
        def on_reported(self, event):
            print(event["report"]["trial_id"], event["report"]["metrics"])

    watch(Print())

It needs nothing but Python 3.9.
"""

from __future__ import annotations

import json
import math
import os
import select
import sys
from typing import Any, BinaryIO, Dict, Iterator, List, Optional, Union

__version__ = "0.1.0"

Event = Dict[str, Any]
Metrics = Dict[str, Any]

_NOT_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


class Observer:
    """Is handed each event, by a method of its name (`on_started`, `on_reported`, ...), if there is one."""

    #: What was said when the run began: `run`, `name`, `seed`, `stop`, `dir`, `session`, ...
    run: Event

    def on_event(self, event: Event) -> None:
        """Hands an event to the method of its name. Override it to see all of them."""
        method = getattr(self, "on_" + event["event"], None)
        if method is not None:
            method(event)

    def on_quiet(self) -> None:
        """Nothing more has come for now: what was gathered can go out."""

    def checkpoint(self, checkpoint: Dict[str, Any]) -> Optional[str]:
        """Where a checkpoint lies (`event["checkpoint"]["id"]` of `saved`), if its store says it."""
        root = self.run.get("checkpoints")
        if root is None:
            return None
        return "%s/%s/checkpoint_%06d" % (root.rstrip("/"), checkpoint["trial"], checkpoint["index"])


def watch(observer: Observer, source: Optional[BinaryIO] = None) -> None:
    """Hands the observer all events until the run is over. An exception ends the program, and so the observer."""
    fd = (source or sys.stdin.buffer).fileno()
    for lines in _lines(fd):
        for line in lines:
            event = json.loads(line)
            if event["event"] == "started":
                observer.run = event
            observer.on_event(event)
        if not select.select([fd], [], [], 0)[0]:
            observer.on_quiet()
    observer.on_quiet()


def _lines(fd: int) -> Iterator[List[bytes]]:
    """Whole lines, as many as came together."""
    rest = b""
    while True:
        chunk = os.read(fd, 1 << 16)
        if not chunk:
            return
        *lines, rest = (rest + chunk).split(b"\n")
        yield lines


def number(value: Any) -> Optional[Union[int, float]]:
    """A metric as a number; none if it isn't one. Numbers that JSON can't write come as texts."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, str):
        return _NOT_FINITE.get(value)
    return value if isinstance(value, (int, float)) else None


def flat(values: Dict[str, Any], prefix: str = "") -> Dict[str, Any]:
    """A configuration with its nested names joined by `/`."""
    names: Dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, dict):
            names.update(flat(value, prefix + name + "/"))
        else:
            names[prefix + name] = value
    return names


class Tracker(Observer):
    """Hears of each trial: that it begins, what it reports, how it ends. For what keeps one record a trial.

    `ids` holds what `begin` answered, by the trial's name. It is kept in the run's directory, so that a resumed run goes on with
    the same records.
    """

    #: The name of the file for `ids`.
    name = "tracker"

    def __init__(self) -> None:
        self.ids: Dict[str, str] = {}
        self._configs: Dict[str, Dict[str, Any]] = {}
        self._open: Dict[str, str] = {}
        self._kept = 0

    # ---- what a tracker says ------------------------------------------------------------------------------------------

    def start(self) -> None:
        """The run begins: `self.run` says which."""

    def begin(self, trial: str, config: Dict[str, Any], known: Optional[str]) -> str:
        """A trial runs for the first time, or (`known` is what this answered then) goes on in a resumed run. Answers its id."""
        return trial

    def log(self, trial: str, step: int, metrics: Dict[str, float], report: Dict[str, Any]) -> None:
        """A trial has reported."""

    def saved(self, trial: str, path: Optional[str], checkpoint: Dict[str, Any]) -> None:
        """A checkpoint is complete."""

    def reconfigured(self, trial: str, config: Dict[str, Any]) -> None:
        """A trial has another configuration from now on: population-based training made it a copy."""

    def end(self, trial: str, status: str, event: Event) -> None:
        """A trial has ended, `TERMINATED` or `ERROR`; or the run was left before that, and the status is `PAUSED`."""

    def finish(self, outcome: str, event: Event) -> None:
        """The run is over: `completed`, `stopped`, `drained` or `failed`."""

    # ---- events -------------------------------------------------------------------------------------------------------

    def on_started(self, event: Event) -> None:
        path = self._path()
        if event["session"] > 1 and path is not None and os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                self.ids = json.load(file)
        self.start()

    def on_added(self, event: Event) -> None:
        self._configs[event["trial"]] = event["config"]

    on_returned = on_added

    def on_launched(self, event: Event) -> None:
        self._begin(event["trial"])

    def on_reported(self, event: Event) -> None:
        report = event["report"]
        trial = report["trial_id"]
        self._begin(trial)
        numbers = {name: number(value) for name, value in report["metrics"].items()}
        metrics = {name: value for name, value in numbers.items() if value is not None}
        self.log(trial, report["training_iteration"], metrics, report)

    def on_saved(self, event: Event) -> None:
        checkpoint = event["checkpoint"]
        if checkpoint["id"]["trial"] in self._open:
            self.saved(checkpoint["id"]["trial"], self.checkpoint(checkpoint["id"]), checkpoint)

    def on_exploited(self, event: Event) -> None:
        trial = event["trial"]
        self._configs[trial] = event["exploit"]["config"]
        if trial in self._open:
            self.reconfigured(trial, self._configs[trial])

    def on_ended(self, event: Event) -> None:
        self._begin(event["trial"])
        self._end(event["trial"], event["status"], event)

    def on_finished(self, event: Event) -> None:
        for trial in list(self._open):
            self._end(trial, "PAUSED", event)
        self.finish(event["outcome"], event)

    def _begin(self, trial: str) -> None:
        if trial in self._open:
            return
        self._open[trial] = self.ids[trial] = self.begin(trial, self._configs.get(trial, {}), self.ids.get(trial))

    def on_quiet(self) -> None:
        """Keeps `ids`: an override calls this one, too."""
        path = self._path()
        if path is None or len(self.ids) == self._kept:
            return
        self._kept = len(self.ids)
        with open(path + ".tmp", "w", encoding="utf-8") as file:
            json.dump(self.ids, file)
        os.replace(path + ".tmp", path)

    def _end(self, trial: str, status: str, event: Event) -> None:
        self.end(trial, status, event)
        self._open.pop(trial, None)
        self._configs.pop(trial, None)

    def _path(self) -> Optional[str]:
        directory = self.run.get("dir")
        return None if directory is None else os.path.join(directory, self.name + ".json")
