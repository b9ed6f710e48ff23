"""A run's socket: one JSON value a line, a request, then its answer (`docs/control.md`)."""

from __future__ import annotations

import json
import os
import socket

from ._errors import NotRunning, Refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any


def _connect(run: str) -> socket.socket:
    try:
        with open(os.path.join(run, "control.json"), encoding="utf-8") as file:
            pointer = json.load(file)
    except FileNotFoundError:
        raise NotRunning(f"nobody runs {run!r} at this moment: its run has ended, or was never begun") from None
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(pointer["socket"])
    except OSError as error:
        connection.close()
        who = f"process {pointer['pid']} on {pointer['host']}"
        raise NotRunning(
            f"nobody answers for {run!r}: {who} was killed, has just ended, or is elsewhere ({error})"
        ) from None
    return connection


_ACTS = ("order", "add_from", "save_and_wait", "pause_and_wait", "drain")


def ask(run: str, request: Any) -> tuple[str, Any]:
    """The answer to one request: its name and what it says. What changes something is asked by the user's name, if there is one."""
    user = os.environ.get("USER") or os.environ.get("LOGNAME")
    if user and isinstance(request, dict) and any(name in request for name in _ACTS):
        request = {"as": {"by": user, "request": request}}
    with _connect(run) as connection, connection.makefile("rwb") as stream:
        return _asked(run, stream, request)


def events(run: str) -> Iterator[dict[str, Any]]:
    """What happens from now on, until the run ends. `{"missed": n}` stands for events that weren't read fast enough."""
    connection = _connect(run)
    stream = connection.makefile("rwb")
    _asked(run, stream, "watch")

    def lines() -> Iterator[dict[str, Any]]:
        with connection, stream:
            for line in stream:
                ((name, value),) = json.loads(line).items()
                yield value if name == "event" else {name: value}

    return lines()


def _asked(run: str, stream: Any, request: Any) -> tuple[str, Any]:
    try:
        stream.write(json.dumps(request, allow_nan=False).encode() + b"\n")
        stream.flush()
        line = stream.readline()
    except ConnectionError:
        line = b""
    if not line:
        raise NotRunning(f"the run in {run!r} ended before it answered")
    ((name, value),) = json.loads(line).items()
    if name == "refused":
        raise Refused(value["code"], value["why"])
    return name, value
