"""Runs trials for a tryout engine in this process: a class that goes step by step, a function that reports, or a class
written for Ray Tune.

    from tryout_worker import Trainable, serve

    class Net(Trainable):
        def setup(self, config):
            self.loss = config["start"]

        def step(self):
            self.loss *= 0.9
            return {"loss": self.loss}

    if __name__ == "__main__":
        serve(Net)

One file, nothing but the standard library, which is imported sparingly: a worker should start as fast as Python does.
It speaks version 1 of the worker protocol (`docs/worker-protocol.md`), and needs a POSIX system.
"""

from __future__ import annotations

import io
import json
import os
import select
import socket
import sys
import threading
from collections import deque
from functools import partial
from time import perf_counter, time

TYPE_CHECKING = False
if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Mapping
    from typing import Any, NoReturn, Union

    Config = dict[str, Any]
    Metrics = Mapping[str, Any]
    Directory = Union[str, os.PathLike[str]]
    Order = tuple[int, str, dict[str, Any]]

__version__ = "0.1.0"
__all__ = ["Done", "Save", "Stopped", "Trainable", "Trial", "TryoutHandler"]
__all__ += ["checkpoint", "new_checkpoint", "report", "run", "serve"]

_PROTOCOL = 1
# Every order, with the keys that it must have.
_ORDERS = {name: frozenset(keys.split()) for name, keys in {
    "welcome": "protocol max_frame", "start": "trial config", "reset": "trial config", "step": "most", "restore": "dir",
    "save": "dir", "export": "dir format", "credit": "logs", "hurry": "", "drain": "", "stop": "",
}.items()}  # fmt: skip
# While a batch is in the making, orders are looked for no more often than this, in seconds.
_LOOK = 0.001
_LONGEST_TEXT = 16 << 10
_INT_END = 1 << 63
_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


class Stopped(BaseException):
    """Raised by `report`: the trial has left, and its function is to end. Let it pass; `finally` blocks are run."""


class Done(dict["str", "Any"]):
    """Metrics, and there is nothing more to do: `return Done(loss=0.1)`."""


class Save(dict["str", "Any"]):
    """Metrics, and now would be a good moment for a checkpoint: `return Save(loss=0.1)`."""


class Trial:
    """What a trial may know of itself, and a function's line to its engine."""

    def __init__(self, order: dict[str, Any], worker: _Worker) -> None:
        about = order["trial"]
        self.id: str = about["id"]
        self.number: int = about.get("number", 0)
        self.experiment: str = about.get("experiment", "")
        self.attempt: int = about.get("attempt", 1)
        self.seed: int = about.get("seed", 0)
        self.restored: bool = about.get("restored", False)
        self.resources: dict[str, float] = order.get("resources") or {}
        self.gpus: list[int] = order.get("gpus") or []
        self.dir: str | None = order.get("dir")
        self._restored: str | None = None
        self._before = self._made = 0
        self._worker = worker

    @property
    def iteration(self) -> int:
        """How many results there were, those before the checkpoint that it went on from included."""
        return self._before + self._worker.link.steps

    def report(self, metrics: Metrics | None = None, *, checkpoint: Directory | None = None, **named: Any) -> None:
        """Reports metrics, and waits while somebody decides over the trial. For functions only.

        `checkpoint` is a directory that holds a checkpoint which belongs to this report. One from `new_checkpoint`, or
        any other below the trial's own, is taken away by the engine; one from elsewhere is copied.
        """
        if named:
            metrics = {**(metrics or {}), **named}
        self._worker.report({} if metrics is None else metrics, checkpoint)

    def checkpoint(self) -> str | None:
        """The directory of the checkpoint to go on from, if there is one: read it before the first report."""
        return self._restored

    def new_checkpoint(self) -> str:
        """A new empty directory below the trial's own, to write a checkpoint to and hand in with `report`."""
        if self.dir is None:
            raise RuntimeError("this trial has no directory of its own to write a checkpoint to")
        while True:
            self._made += 1
            path = os.path.join(self.dir, f".checkpoint-{os.getpid()}-{self._made}")
            if not os.path.exists(path):
                os.mkdir(path)
                return path

    def _take_in(self, checkpoint: Directory) -> str:
        """A checkpoint's place below the trial's directory; it is copied there if it isn't there yet."""
        place, root = os.path.realpath(checkpoint), os.path.realpath(self.dir or os.devnull)
        if not os.path.isdir(place) or (root + os.sep).startswith(place + os.sep):
            raise ValueError(f"{os.fspath(checkpoint)!r} can't be a checkpoint: that is a directory of its own")
        if place.startswith(root + os.sep):
            return place
        import shutil

        return shutil.copytree(place, self.new_checkpoint(), dirs_exist_ok=True)


class Trainable:
    """Work that goes step by step, each step a result. Subclasses override what they need; `self.trial` is set before."""

    trial: Trial

    def setup(self, config: Config) -> None:
        """Makes it ready for its first step."""

    def step(self) -> Metrics:
        """One unit of work. Returns metrics, whose levels are joined with `/`; as `Done` or `Save` they say what is next."""
        raise NotImplementedError(f"{type(self).__name__} has no step()")

    def save(self, directory: str) -> None:
        """Writes its state. Without it, a trial that is paused or tried again starts from the beginning."""
        raise NotImplementedError(f"{type(self).__name__} has no save()")

    def load(self, directory: str) -> None:
        """Takes up the state that `save` wrote, right after `setup` or `reset`."""
        raise NotImplementedError(f"{type(self).__name__} has no load()")

    def reset(self, config: Config) -> bool:
        """Becomes another trial, keeping what is dear. False means that a new object is to be made instead."""
        return False

    def export(self, directory: str, format: str) -> None:
        """Writes its final product into an empty directory, in a format that the experiment exports (`model`, if it names none)."""
        raise NotImplementedError(f"{type(self).__name__} has no export()")

    def cleanup(self) -> None:
        """The last call, before it is dropped."""


class _Link:
    """The two descriptors that lead to the engine."""

    def __init__(self) -> None:
        number = os.environ.pop("TRYOUT_FACTS", None)
        if number is None:
            sys.exit("tryout_worker: TRYOUT_FACTS isn't set: this program is a worker, which an engine starts")
        # Nothing that this process starts may hold them, or the engine would wait for its end.
        self.orders, self.facts = os.dup(0), int(number)
        if self.facts == 0:
            # Standard input is a socket.
            self.facts = self.orders
        os.set_inheritable(self.facts, False)
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        os.close(null)
        os.set_blocking(self.orders, True)
        os.set_blocking(self.facts, True)
        os.register_at_fork(after_in_child=self._forget)
        self.held: deque[Order] = deque()
        self.max_frame = 16 << 20
        self.lease = self.steps = 0
        self.ending = threading.Event()
        self._parent = os.getppid()
        self._rest = bytearray()
        self._poll = select.poll()
        self._poll.register(self.orders, select.POLLIN)
        self._writing, self._logging = threading.Lock(), threading.Lock()
        self._credit = self._dropped = 0

    def _forget(self) -> None:
        """In a forked child, which is not the worker."""
        global _trial
        _trial = None
        # A child of a child has lost them already.
        for descriptor in {self.orders, self.facts} - {-1}:
            os.close(descriptor)
        self.orders = self.facts = -1

    def next(self) -> Order:
        """Waits for the next order. When none can come any more, the process ends."""
        while not self.held:
            # Waiting in `read`, it would also be woken whenever the engine takes what was written to it.
            self._poll.poll()
            self._read()
        return self.held.popleft()

    def peek(self) -> str | None:
        """The name of the next order, if it is there already."""
        if not self.held and self._poll.poll(0):
            self._read()
        return self.held[0][1] if self.held else None

    def _read(self) -> None:
        try:
            chunk = os.read(self.orders, 1 << 16)
        except ConnectionError:
            chunk = b""
        if not chunk:
            os._exit(1)
        self._rest += chunk
        if b"\n" in chunk:
            *lines, self._rest = self._rest.split(b"\n")
            for order in map(self._parse, lines):
                if order[1] == "credit":
                    self.grant(order[2]["logs"])
                else:
                    self.held.append(order)
        if len(self._rest) > self.max_frame:
            self._parse(self._rest)

    def _parse(self, line: bytearray) -> Order:
        try:
            if len(line) > self.max_frame:
                raise ValueError(f"a frame has {self.max_frame} bytes at most")
            frame = json.loads(line.decode())
            ((name, body),) = frame["order"].items()
            missing = _ORDERS[name] - body.keys()
            if missing:
                raise ValueError(f"{name} without {min(missing)}")
            return int(frame["lease"]), name, body
        except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
            _die(f"{bytes(line[:80])!r} isn't an order ({_words(error)})")

    def say(self, lease: int, fact: str, body: dict[str, Any]) -> bool:
        """Writes a frame; false if it is longer than frames may be."""
        # What isn't Unicode, such as the name of a file may be, becomes a question mark.
        line = _encode({"lease": lease, "fact": {fact: body}}).encode("utf-8", "replace") + b"\n"
        if len(line) > self.max_frame:
            return False
        try:
            with self._writing:
                written = os.write(self.facts, line)
                while written < len(line):
                    written += os.write(self.facts, memoryview(line)[written:])
        except ConnectionError:
            os._exit(1)
        return True

    def grant(self, credit: int) -> None:
        """So many more messages may be logged."""
        with self._logging:
            self._credit += credit

    def log(self, level: str, message: str) -> None:
        """Sends a message for people, if there is credit; else it is counted. A forked child has no say."""
        if self.facts < 0:
            return
        with self._logging:
            if self._credit <= 0:
                self._dropped += 1
                return
            self._credit -= 1
            dropped, self._dropped = self._dropped, 0
        message = message[: min(_LONGEST_TEXT, self.max_frame // 8)]
        self.say(self.lease, "log", {"level": level, "message": message, "dropped": dropped})

    def watch(self, heartbeat: float | None) -> None:
        """The work of a thread of its own: signs of life, and an eye on the engine, while a step takes long."""
        if sys.platform.startswith("linux"):
            import ctypes

            # PR_SET_PDEATHSIG, SIGKILL: what one thread asks for holds for the process.
            ctypes.CDLL(None).prctl(1, 9, 0, 0, 0)
        if os.getppid() != self._parent:
            os._exit(1)
        poll = select.poll()
        poll.register(self.orders, getattr(select, "POLLRDHUP", 0))
        while not self.ending.is_set():
            if poll.poll(heartbeat * 1000 if heartbeat else None):
                # A `stop` that was said last may still be read, but no step is waited for.
                if not self.ending.wait(0.5):
                    os._exit(1)
            elif not self.ending.is_set():
                self.say(self.lease, "heartbeat", {"steps": self.steps})


class _Worker:
    """Orders come in, facts go out; in between a trainable steps, and a batch is in the making."""

    def __init__(self, link: _Link, make: Callable[[], Trainable], abilities: list[str]) -> None:
        self.link = link
        self.make = make
        self.abilities = abilities
        self.trainable = Trainable()
        self.trial: Trial | None = None
        # What failed is said until the next trial begins.
        self.fault: dict[str, Any] | None = None
        # Of a function: whether it is to end, or has ended.
        self.stopped = True
        self.results: list[dict[str, Any]] = []
        self.most = 1
        self.deadline = self.step_began = self.looked = 0.0
        self.epoch = time() - perf_counter()

    def run(self) -> None:
        """From the first order to the last."""
        abilities = [*self.abilities, "reset", "heartbeat", "log"]
        self.say("hello", protocol=_PROTOCOL, name=f"tryout_worker {__version__}", pid=os.getpid(),
                 host=socket.gethostname(), abilities=abilities)
        while True:
            self.link.lease, name, body = self.link.next()
            if name == "stop":
                break
            self.obey(name, body)
        self.link.ending.set()
        self.clean_up()
        _flush()

    def obey(self, name: str, body: dict[str, Any]) -> None:
        """Carries out any order but `stop`."""
        if name == "welcome":
            self.welcome(body)
        elif name == "drain":
            self.say("drained")
        elif name in ("start", "reset"):
            self.begin(body, name == "reset" and not self.fault)
        elif name != "hurry":
            if self.fault:
                self.say_fault(self.fault)
            elif name == "step":
                self.step(body)
            else:
                self.keep(name, body)

    def say(self, fact: str, **body: Any) -> bool:
        """Answers an order."""
        if fact != "results":
            _flush()
        return self.link.say(self.link.lease, fact, body)

    def welcome(self, body: dict[str, Any]) -> None:
        """Takes down what the engine says of itself."""
        if body["protocol"] != _PROTOCOL:
            _die(f"the engine speaks version {body['protocol']} of the protocol, this worker version {_PROTOCOL}")
        self.link.max_frame = body["max_frame"]
        self.link.grant(body.get("logs") or 0)
        threading.Thread(target=self.link.watch, args=(body.get("heartbeat"),), name="tryout", daemon=True).start()

    def begin(self, body: dict[str, Any], reset: bool) -> None:
        """Begins a trial; `reset` says that the trainable of the one before may be used."""
        self.fault, self.results, self.link.steps, self.epoch = None, [], 0, time() - perf_counter()
        before, self.trial = self.trial, Trial(body, self)
        kind = "setup"
        try:
            if self.trial.dir is not None:
                os.chdir(self.trial.dir)
            if before is not None and reset:
                kind, self.trainable.trial = "reset", self.trial
                reset = self.trainable.reset(dict(body["config"]))
            if before is None or not reset:
                kind = "setup"
                if before is not None:
                    self.trainable.trial = before
                    self.clean_up()
                self.trainable = self.make()
                self.trainable.trial = self.trial
                self.trainable.setup(body["config"])
        except BaseException as error:
            return self.fail(kind, error)
        self.say("ready")
        if body.get("then"):
            self.step(body["then"])

    def keep(self, order: str, body: dict[str, Any]) -> None:
        """Carries out `restore`, `save` or `export`."""
        directory = body["dir"]
        try:
            if order == "restore":
                if self.trial is not None:
                    self.trial._restored, self.trial._before = directory, body.get("iteration") or 0
                self.trainable.load(directory)
                self.say("restored")
            elif order == "export":
                self.trainable.export(directory, body["format"])
                self.say("exported")
            elif "save" in self.abilities:
                self.trainable.save(directory)
                self.say("saved", kept=True)
            else:
                self.say("saved", kept=False)
        except BaseException as error:
            self.fail(order, error)

    def clean_up(self) -> None:
        """The trainable's last call, and its end."""
        trainable, self.trainable = self.trainable, Trainable()
        try:
            trainable.cleanup()
        except BaseException as error:
            print(f"tryout_worker: the clean-up failed: {_words(error)}", file=sys.stderr)

    def fail(self, kind: str, error: BaseException) -> None:
        """Makes an error a failure; results that are there already are handed in first."""
        import traceback

        if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
            kind = "out_of_memory"
        trace = "".join(traceback.format_exception(type(error), error, error.__traceback__))[-_LONGEST_TEXT:]
        places = [f"{call.filename}:{call.lineno}" for call in traceback.extract_tb(error.__traceback__)]
        place = next((place for place in reversed(places) if not place.startswith(__file__)), None)
        self.fault = {"kind": kind, "message": _words(error), "place": place, "trace": trace}
        if self.results:
            self.hand_in("limit")
        else:
            self.say_fault(self.fault)

    def say_fault(self, fault: dict[str, Any]) -> None:
        """Says what failed; if that is too much for a frame, in few words."""
        if not self.say("failed", **fault):
            message = fault["message"][: self.link.max_frame // 8]
            self.say("failed", kind=fault["kind"], message=message, place=None, trace=None)

    def begin_batch(self, limits: dict[str, Any]) -> None:
        """A new batch begins."""
        seconds = limits.get("seconds")
        self.most, self.step_began = limits["most"], perf_counter()
        self.deadline = float("inf") if seconds is None else self.step_began + seconds

    def take(self, metrics: Metrics) -> str | None:
        """Takes a result. If the batch ends with it, says why: `done`, `save`, `limit`, or `leave` if the trial has left."""
        now = perf_counter()
        end = None
        if type(metrics) is dict and _is_plain(metrics):
            metrics = metrics.copy()
        else:
            metrics, end = _plain(metrics)
        self.results.append({"metrics": metrics, "seconds": now - self.step_began, "at": self.epoch + now})
        self.step_began = now
        self.link.steps += 1
        if self.link.held or now - self.looked >= _LOOK:
            self.looked = now
            order = self.link.peek()
            if order is not None:
                if order == "drain" or order == "stop":
                    self.results = []
                    return "leave"
                if order == "hurry":
                    self.link.held.popleft()
                end = end or "limit"
        if end is None and (len(self.results) >= self.most or now >= self.deadline):
            return "limit"
        return end

    def hand_in(self, end: str, checkpoint: str | None = None) -> None:
        """Hands the batch in."""
        results, self.results = self.results, []
        if not self.say("results", list=results, end=None if end == "limit" else end, checkpoint=checkpoint):
            self.fail("error", ValueError(f"{len(results)} results take more than {self.link.max_frame} bytes"))

    def step(self, limits: dict[str, Any]) -> None:
        """Steps until the batch ends. Nothing is answered if the trial has left in the meantime."""
        if self.link.held and self.link.held[0][1] in ("drain", "stop"):
            return
        self.begin_batch(limits)
        if isinstance(self.trainable, _Function):
            return self.call(self.trainable)
        step, end = self.trainable.step, None
        try:
            while end is None:
                end = self.take(step())
        except BaseException as error:
            return self.fail("error", error)
        if end != "leave":
            self.hand_in(end)

    def call(self, function: _Function) -> None:
        """Calls a function, which comes back to `report`, until its end."""
        global _trial
        _trial, self.stopped = self.trial, False
        try:
            last = function.call()
            # What it returns is its last report.
            if isinstance(last, dict) and not self.stopped:
                self.stopped = self.take(last) == "leave"
            if not self.stopped:
                self.hand_in("done")
        except BaseException as error:
            if not self.stopped:
                self.fail("error", error)
            elif not isinstance(error, Stopped):
                print(f"tryout_worker: the function failed as it was stopped: {_words(error)}", file=sys.stderr)
        finally:
            _trial, self.stopped = None, True

    def report(self, metrics: Metrics, checkpoint: Directory | None) -> None:
        """A function has a result: takes it. If the batch ends, waits for the next; other orders end the function."""
        if self.trial is None or not isinstance(self.trainable, _Function):
            raise RuntimeError("a class returns its metrics from step(): only a function reports")
        if self.stopped:
            raise Stopped
        place = None if checkpoint is None else self.trial._take_in(checkpoint)
        end = self.take(metrics)
        if place is not None and end not in ("leave", "done"):
            end = "save"
        if end is None:
            return
        if end != "leave":
            self.hand_in(end, place)
        while not self.fault:
            self.link.lease, name, body = order = self.link.next()
            if name == "step":
                return self.begin_batch(body)
            if name not in ("hurry", "save"):
                self.link.held.appendleft(order)
                break
            # What it has, it has handed in.
            self.obey(name, body)
        self.stopped = True
        raise Stopped


class _Function(Trainable):
    """A function that reports. It runs on the worker's only thread: `report` takes orders until it may go on."""

    def __init__(self, function: Callable[..., Any]) -> None:
        import inspect

        named = inspect.signature(function).parameters.values()
        second = [each for each in named if each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)][1:2]
        self.takes_trial = any(each.default is each.empty or each.name == "trial" for each in second)
        self.function = function
        self.config: Config = {}

    def setup(self, config: Config) -> None:
        self.config = config

    def reset(self, config: Config) -> bool:
        self.config = config
        return True

    def load(self, directory: str) -> None:
        """Left to the function: see `Trial.checkpoint`."""

    def call(self) -> Any:
        """Calls it. What a generator yields is reported."""
        answer = self.function(self.config, self.trial) if self.takes_trial else self.function(self.config)
        if not (hasattr(answer, "send") and hasattr(answer, "close")):
            return answer
        try:
            while True:
                self.trial.report(next(answer))
        except StopIteration as end:
            return end.value
        finally:
            # Its `finally` blocks are run now, and not whenever it is collected.
            answer.close()


# The keys that every result has from the engine, and those that Ray Tune adds besides.
_BY_ENGINE = frozenset(
    "training_iteration time_this_iter_s time_total_s timestamp trial_id iterations_since_restore time_since_restore".split()
)
_BY_RAY = _BY_ENGINE | frozenset("date pid hostname node_ip config timesteps_since_restore".split())
_RAY_DICT = "_dict_checkpoint.pkl"


class _Reference(Trainable):
    """An object of a class that was written for Ray Tune's class interface, `ray.tune.Trainable`.

    A subclass of that is made as Tune makes it, `Class(config=..., storage=...)`, which calls `setup`; our `storage` says
    nothing but that `logdir` is the trial's directory. Then its public methods are called: `train` (which calls `step`
    and counts `iteration`), `reset`, `stop`. A class that only looks like one is made without arguments, gets `config`,
    `logdir` and `trial_id` as attributes, and its `setup`, `step`, `reset_config` and `cleanup` are called.
    """

    def __init__(self, kind: type[Any]) -> None:
        self.kind = kind
        self.is_rays = any(base.__module__.startswith("ray.tune.") for base in kind.__mro__)
        self.object: Any = None

    def setup(self, config: Config) -> None:
        if self.is_rays:
            self.object = self.kind(**self._arguments("config", config))
        else:
            self.object = self.kind()
            self._tell(config)
            self._call("setup", dict(config))

    def step(self) -> Metrics:
        result: Metrics = self.object.train() if self.is_rays else self.object.step()
        if not isinstance(result, dict):
            return result
        made = _BY_ENGINE
        if self.is_rays:
            # Totals that Ray sums up are summed up by the engine too, and from the checkpoint on.
            totals = ("timesteps_total", "episodes_total")
            made = _BY_RAY.union(total for total in totals if getattr(self.object, "_" + total, None) is not None)
        return {name: value for name, value in result.items() if name not in made}

    def save(self, directory: str) -> None:
        answer = self.object.save_checkpoint(directory)
        if isinstance(answer, dict):
            with open(os.path.join(directory, _RAY_DICT), "wb") as file:
                self._pickle().dump(answer, file)
        elif answer is not None and os.path.realpath(answer) != os.path.realpath(directory):
            raise ValueError(f"save_checkpoint returned {answer!r}: that can be a dict, None or {directory!r}")

    def load(self, directory: str) -> None:
        if self.is_rays:
            self.object._iteration, self.object._restored = self.trial.iteration, True
        answer: Any = directory
        if os.path.exists(os.path.join(directory, _RAY_DICT)):
            with open(os.path.join(directory, _RAY_DICT), "rb") as file:
                answer = self._pickle().load(file)
        self.object.load_checkpoint(answer)

    def reset(self, config: Config) -> bool:
        if self.is_rays:
            return bool(self.object.reset(**self._arguments("new_config", config)))
        self._tell(config)
        return bool(self._call("reset_config", config))

    def export(self, directory: str, format: str) -> None:
        self.object.export_model([format], directory)

    def cleanup(self) -> None:
        if self.object is not None:
            self._call("stop" if self.is_rays else "cleanup")

    def _arguments(self, name: str, config: Config) -> dict[str, Any]:
        """What Tune says of a trial."""
        from importlib import import_module
        from types import SimpleNamespace

        place = self.trial.dir or os.getcwd()
        bundle = {name.upper() if name in ("cpu", "gpu") else name: much for name, much in self.trial.resources.items()}
        info = SimpleNamespace(
            trial_id=self.trial.id,
            trial_name=f"{self.kind.__name__}_{self.trial.id}",
            experiment_name=self.trial.experiment,
            trial_resources=import_module("ray.tune").PlacementGroupFactory([bundle or {"CPU": 1}]),
        )
        storage = SimpleNamespace(trial_fs_path=place, trial_working_directory=place)
        storage.persist_artifacts = lambda *_, **__: None
        return {name: {**config, "__trial_info__": info}, "storage": storage}

    def _tell(self, config: Config) -> None:
        told = {"config": config, "logdir": self.trial.dir or os.getcwd(), "trial_id": self.trial.id}
        for name, value in told.items():
            try:
                setattr(self.object, name, value)
            except AttributeError:
                pass  # A property or slot of its own.

    def _call(self, method: str, *arguments: Any) -> Any:
        """Calls a method that may be left out."""
        return getattr(self.object, method, lambda *_: None)(*arguments)

    def _pickle(self) -> Any:
        from importlib import import_module

        return import_module("ray.cloudpickle" if self.is_rays else "pickle")


def _has(kind: type[Any], *methods: str) -> bool:
    """Whether a class has one of these methods, other than from a base that only says it could have it."""
    found = [getattr(kind, method, None) for method in methods]
    homes = [getattr(method, "__module__", None) or "" for method in found if callable(method)]
    return any(home != __name__ and not home.startswith("ray.tune.") for home in homes)


def _is_plain(metrics: dict[Any, Any]) -> bool:
    """Whether metrics can be sent as they are: nearly always, so this is quick."""
    for name, value in metrics.items():
        kind = type(value)
        if type(name) is not str:
            return False
        if kind is float:
            # Neither infinity nor NaN is 0 here.
            if value - value != 0.0:
                return False
        elif kind is int:
            if not -_INT_END <= value < _INT_END:
                return False
        elif kind is not str and kind is not bool:
            return False
    return "done" not in metrics and "should_checkpoint" not in metrics


def _plain(metrics: Metrics) -> tuple[dict[str, Any], str | None]:
    """Metrics as they are sent, and what is wanted after them."""
    if not hasattr(metrics, "items"):
        raise TypeError(f"metrics are a dict of named values, not a {type(metrics).__qualname__}")
    flat: dict[str, Any] = {}
    end = "done" if isinstance(metrics, Done) else "save" if isinstance(metrics, Save) else None
    for name, value in metrics.items():
        if name == "done":
            end = "done" if value else end
        elif name == "should_checkpoint":
            end = end or ("save" if value else None)
        else:
            _flatten(str(name), value, flat)
    return flat, end


def _flatten(name: str, value: Any, flat: dict[str, Any]) -> None:
    """Adds a metric in the form in which it is sent. None is a number that isn't there."""
    if isinstance(value, (bool, str)):
        flat[name] = value
    elif value is None:
        flat[name] = "NaN"
    elif isinstance(value, (int, float)):
        flat[name] = _number(value)
    elif hasattr(value, "items") or isinstance(value, (list, tuple)):
        for key, inner in value.items() if hasattr(value, "items") else enumerate(value):
            _flatten(f"{name}/{key}", inner, flat)
    elif getattr(value, "ndim", None) == 0 and hasattr(value, "item"):
        item = value.item()
        _flatten(name, float(item) if type(item) is type(value) else item, flat)
    else:
        kind = f"{type(value).__module__}.{type(value).__qualname__}"
        shape = f" of shape {tuple(value.shape)}" if hasattr(value, "shape") else ""
        raise TypeError(f"metric {name!r} is a {kind}{shape}, which is no number, truth value or text")


def _number(value: float) -> float | str:
    if isinstance(value, int) and -_INT_END <= value < _INT_END:
        return value
    number = float(value)
    if number - number == 0.0:
        return number
    return "NaN" if number != number else "Infinity" if number > 0 else "-Infinity"


def _words(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".removesuffix(": ")


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, OSError, ValueError):
            pass  # It is gone, or closed.


def _die(message: str) -> NoReturn:
    """Ends the process: with this engine there is no talking."""
    _flush()
    os.write(2, f"tryout_worker: {message}\n".encode("utf-8", "replace"))
    os._exit(2)


_link: _Link | None = None
_trial: Trial | None = None


def _connect() -> _Link:
    global _link
    _link = _link or _Link()
    return _link


def _running() -> Trial:
    if _trial is None:
        raise RuntimeError("no function runs for a trial in this process")
    return _trial


def report(metrics: Metrics | None = None, *, checkpoint: Directory | None = None, **named: Any) -> None:
    """`Trial.report` of the trial that runs."""
    _running().report(metrics, checkpoint=checkpoint, **named)


def checkpoint() -> str | None:
    """`Trial.checkpoint` of the trial that runs."""
    return _running().checkpoint()


def new_checkpoint() -> str:
    """`Trial.new_checkpoint` of the trial that runs."""
    return _running().new_checkpoint()


def TryoutHandler(level: int = 0) -> logging.Handler:
    """A handler that sends log records to the engine: `logging.getLogger().addHandler(TryoutHandler())`.

    The engine says how many it wants; what is more is dropped and counted.
    """
    import logging

    class TryoutHandler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            levels = ((logging.ERROR, "error"), (logging.WARNING, "warn"), (logging.INFO, "info"), (0, "debug"))
            try:
                _connect().log(next(name for least, name in levels if record.levelno >= least), self.format(record))
            except Exception:
                self.handleError(record)

    return TryoutHandler(level)


def serve(what: Callable[..., Any], *, logs: bool = False) -> None:
    """Runs trials until the engine says stop: of a `Trainable`, a class written for Ray Tune, or a function of
    `(config, trial)` or `(config)`. With `logs`, log records go to the engine too, as far as the root logger lets them."""
    link = _connect()
    if isinstance(sys.stdout, io.TextIOWrapper):
        # What was printed is there, even after a crash.
        sys.stdout.reconfigure(line_buffering=True)
    if logs:
        import logging

        logging.getLogger().addHandler(TryoutHandler())
    make: Callable[[], Trainable] = partial(_Function, what)
    abilities: list[str] = []
    if isinstance(what, type):
        if issubclass(what, Trainable):
            make, saves, exports = what, _has(what, "save"), _has(what, "export")
        elif hasattr(what, "step"):
            make, saves = partial(_Reference, what), _has(what, "save_checkpoint")
            exports = _has(what, "export_model", "_export_model")
        else:
            raise TypeError(f"{what.__name__} has no step(): serve a Trainable, a class with its methods, or a function")
        abilities = ["steps"] + ["save"] * saves + ["export"] * exports
    _Worker(link, make, abilities).run()


# Reads better for a function.
run = serve


def main() -> None:
    """`python -m tryout_worker MODULE:NAME`, or `FILE.py:NAME`."""
    from importlib import import_module

    module, _, name = "".join(sys.argv[1:]).rpartition(":")
    if not module:
        sys.exit("usage: python -m tryout_worker MODULE:NAME, or FILE.py:NAME")
    # Before any code that could start other processes.
    _connect()
    if module.endswith(".py"):
        folder, file = os.path.split(os.path.abspath(module))
        sys.path.insert(0, folder)
        module = file[:-3]
    what: Any = import_module(module)
    for part in name.split("."):
        what = getattr(what, part)
    serve(what)


if __name__ == "__main__":
    # Under its own name, so that what imports it finds the same classes.
    from tryout_worker import main as main_of_the_module

    main_of_the_module()
