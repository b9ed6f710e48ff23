"""The engine's side of the worker protocol, as far as the tests need it: a real process, real descriptors, deadlines."""

from __future__ import annotations

import json
import os
import select
import socket
import stat
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import tryout_worker

#: How long anything may take before a test gives up, in seconds.
PATIENCE = 30.0


class Worker:
    """A worker process, and both ends of the talk with it. Use it in a `with`: it leaves no process behind."""

    def __init__(self, home: Path, code: str, *arguments: str, over: str = "pipe") -> None:
        self.home = home
        script = home / "script.py"
        script.write_text(textwrap.dedent(code))
        self.facts, write = os.pipe()
        environment = {
            **os.environ,
            "TRYOUT_FACTS": str(write),
            "PYTHONPATH": str(Path(tryout_worker.__file__).parent),
        }
        self.stdout, self.stderr = home / "stdout.txt", home / "stderr.txt"
        if over == "pipe":
            theirs, self.orders = os.pipe()
        else:
            # As the engine does it: one socket, both ways.
            os.close(self.facts)
            ours, other = socket.socketpair()
            theirs, self.orders, self.facts = other.detach(), os.dup(ours.fileno()), ours.detach()
            environment["TRYOUT_FACTS"] = "0"
        with self.stdout.open("wb") as stdout, self.stderr.open("wb") as stderr:
            self.process = subprocess.Popen(
                [sys.executable, *(arguments or (str(script),))],
                stdin=theirs,
                stdout=stdout,
                stderr=stderr,
                pass_fds=[write],
                env=environment,
                cwd=home,
                start_new_session=True,
            )
        os.close(theirs)
        os.close(write)
        self.rest = b""
        self.ended = False
        self.heartbeats: list[tuple[int, int]] = []

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        for descriptor in (self.orders, self.facts):
            if descriptor >= 0:
                os.close(descriptor)

    def send(self, line: bytes) -> None:
        """Sends bytes, whatever they are."""
        while line:
            line = line[os.write(self.orders, line) :]

    def order(self, name: str, lease: int = 1, **body: Any) -> None:
        self.send(json.dumps({"lease": lease, "order": {name: body}}).encode() + b"\n")

    def hang_up(self) -> None:
        """Lets go of the orders' end, and of the facts' as well if they are one."""
        descriptors = (self.orders, self.facts) if stat.S_ISSOCK(os.fstat(self.orders).st_mode) else (self.orders,)
        for descriptor in descriptors:
            os.close(descriptor)
        self.orders = -1
        self.facts = -1 if len(descriptors) == 2 else self.facts

    def ready(self, seconds: float) -> bool:
        """Whether a fact, or the end of all, comes within so many seconds."""
        return b"\n" in self.rest or bool(select.select([self.facts], [], [], seconds)[0])

    def any_fact(self) -> tuple[int, str, Any] | None:
        """The next fact; none at the end of all."""
        deadline = time.monotonic() + PATIENCE
        while b"\n" not in self.rest:
            if not self.ready(deadline - time.monotonic()):
                raise TimeoutError(f"no fact came; stderr: {self.said()}")
            chunk = os.read(self.facts, 1 << 20)
            if not chunk:
                return None
            self.rest += chunk
        line, self.rest = self.rest.split(b"\n", 1)
        frame = json.loads(line.decode(), parse_constant=lambda name: (_ for _ in ()).throw(ValueError(name)))
        ((name, body),) = frame["fact"].items()
        return frame["lease"], name, body

    def fact(self) -> tuple[int, str, Any]:
        """The next fact that isn't a heartbeat."""
        while True:
            fact = self.any_fact()
            if fact is None:
                raise EOFError(f"the worker has gone; stderr: {self.said()}")
            if fact[1] != "heartbeat":
                return fact
            self.heartbeats.append((fact[0], fact[2]["steps"]))

    def expect(self, name: str, lease: int = 1) -> Any:
        fact = self.fact()
        assert fact[:2] == (lease, name), fact
        return fact[2]

    def welcome(self, heartbeat: float | None = None, max_frame: int = 1 << 20, logs: int = 0) -> Any:
        """Hears `hello` and answers it."""
        hello = self.expect("hello", lease=0)
        self.order("welcome", lease=0, protocol=1, worker="w0", heartbeat=heartbeat, max_frame=max_frame, logs=logs)
        return hello

    def begin(self, order: str = "start", lease: int = 1, then: Any = None, **config: Any) -> Path:
        """Orders a trial, with a directory of its own, which is returned."""
        directory = self.home / f"trial{lease}"
        directory.mkdir(exist_ok=True)
        self.order(
            order,
            lease=lease,
            trial={"id": f"t{lease}", "number": lease - 1, "experiment": "e", "attempt": 1, "seed": 2**64 - lease},
            config=config,
            resources={"cpu": 2.0},
            gpus=[],
            dir=str(directory),
            then=then,
        )
        return directory

    def step(self, most: int = 1, seconds: float | None = None, lease: int = 1) -> Any:
        """Orders results and waits for them."""
        self.order("step", lease=lease, most=most, seconds=seconds)
        return self.expect("results", lease=lease)

    def stop(self) -> int:
        """Orders it to end; returns the exit code."""
        self.order("stop", lease=0)
        return self.wait()

    def wait(self, seconds: float = PATIENCE) -> int:
        return self.process.wait(seconds)

    def said(self) -> str:
        """What it has printed to its standard error."""
        return self.stderr.read_text(errors="replace")


def metrics(results: Any) -> list[dict[str, Any]]:
    return [row["metrics"] for row in results["list"]]


class Gate:
    """A named pipe: a worker's step waits until the test lets it pass."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self.path = str(path)
        # Both ways, so that opening it never waits.
        self.descriptor = os.open(path, os.O_RDWR)

    def open(self, times: int = 1) -> None:
        os.write(self.descriptor, b"x" * times)
