"""The worker as a process: descriptors, children, signs of life, and its end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from engine import PATIENCE, Gate, Worker, metrics
from test_class import COUNTER, step_code

WAITING = """
import os
os.read(os.open(config["gate"], os.O_RDONLY), 1)
return {"loss": 1.0}
"""


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        (b"garbage\n", "b'garbage' isn't an order"),
        (b'{"lease": 1}\n', "KeyError: 'order'"),
        (b'{"lease": 1, "order": {"fly": {}}}\n', "KeyError: 'fly'"),
        (b'{"lease": 1, "order": {"step": {}, "drain": {}}}\n', "ValueError"),
        (b'{"lease": 1, "order": {"save": {}}}\n', "save without dir"),
        (b'{"lease": 1, "order": {"step": []}}\n', "AttributeError"),
        (b'{"lease": 1, "order": {"drain": null}}\n', "isn't an order"),
        (b"[" * 100_000 + b"\n", "RecursionError"),
        (b"\xff\n", "UnicodeDecodeError"),
        (b"x" * 1_000_001, "at most"),
        (b'{"lease": 0, "order": {"welcome": {"protocol": 2, "max_frame": 1}}}\n', "version 2"),
    ],
    ids=lambda part: part if isinstance(part, str) else "",
)
def test_what_is_no_order_ends_it(tmp_path: Path, line: bytes, complaint: str) -> None:
    with Worker(tmp_path, COUNTER) as worker:
        worker.welcome(max_frame=1_000_000)
        worker.begin()
        worker.expect("ready")
        worker.send(line)
        assert worker.wait() == 2
        assert worker.said().startswith("tryout_worker: ") and complaint in worker.said()
        assert worker.any_fact() is None


def test_an_order_may_come_in_pieces_and_have_unknown_keys(tmp_path: Path) -> None:
    with Worker(tmp_path, COUNTER) as worker:
        worker.welcome()
        worker.begin(then={"most": 1, "unknown": 1})
        worker.expect("ready")
        worker.expect("results")
        line = json.dumps({"lease": 1, "order": {"step": {"most": 2, "else": [1]}}, "more": None}).encode() + b"\n"
        for byte in line:
            worker.send(bytes([byte]))
        assert len(worker.expect("results")["list"]) == 2


@pytest.mark.parametrize("over", ["pipe", "socket"])
def test_it_ends_with_its_engine_while_it_waits(tmp_path: Path, over: str) -> None:
    with Worker(tmp_path, COUNTER, over=over) as worker:
        worker.welcome()
        worker.begin()
        worker.expect("ready")
        worker.hang_up()
        assert worker.wait(2) == 1


@pytest.mark.parametrize("over", ["pipe", "socket"])
@pytest.mark.parametrize("heartbeat", [None, 0.05])
@pytest.mark.parametrize("last", [None, "hurry"])
def test_it_ends_with_its_engine_in_a_long_step(
    tmp_path: Path, gate: Gate, over: str, heartbeat: float | None, last: str | None
) -> None:
    with Worker(tmp_path, step_code(WAITING), over=over) as worker:
        worker.welcome(heartbeat=heartbeat)
        worker.begin(gate=gate.path, then={"most": 5})
        worker.expect("ready")
        if last:
            worker.order(last)
        worker.hang_up()
        assert worker.wait(2) == 1


def test_a_stop_that_was_said_last_is_heard(tmp_path: Path) -> None:
    with Worker(tmp_path, COUNTER) as worker:
        worker.welcome()
        worker.begin()
        worker.expect("ready")
        worker.order("stop")
        worker.hang_up()
        assert worker.wait() == 0
        assert worker.stdout.read_text() == "cleanup t1\n"


def test_it_ends_when_nobody_reads_its_facts(tmp_path: Path) -> None:
    with Worker(tmp_path, COUNTER) as worker:
        worker.welcome()
        worker.begin()
        worker.expect("ready")
        os.close(worker.facts)
        worker.facts = -1
        worker.order("step", most=1)
        assert worker.wait() == 1


def test_it_ends_when_its_engine_has_not_heard_all(tmp_path: Path, gate: Gate) -> None:
    with Worker(tmp_path, step_code(WAITING), over="socket") as worker:
        worker.welcome()
        worker.begin(gate=gate.path, then={"most": 1})
        # What was said and never heard makes a reset of the connection's end.
        assert worker.ready(PATIENCE)
        worker.hang_up()
        gate.open()
        assert worker.wait(2) == 1
        assert worker.said() == ""


def test_heartbeats_in_a_long_step(tmp_path: Path, gate: Gate) -> None:
    with Worker(tmp_path, step_code(WAITING)) as worker:
        worker.welcome(heartbeat=0.05)
        gate.open()
        worker.begin(gate=gate.path, then={"most": 2})
        worker.expect("ready")
        began = time.monotonic()
        beats: list[tuple[int, int]] = []
        while beats[-3:] != [(1, 1)] * 3:
            fact = worker.any_fact()
            assert fact is not None and fact[1] == "heartbeat"
            beats.append((fact[0], fact[2]["steps"]))
        # No more often than it is asked for.
        assert len(beats) <= (time.monotonic() - began) / 0.05 + 1
        gate.open()
        assert len(worker.expect("results")["list"]) == 2


def test_prints_and_input_are_the_programs_own(tmp_path: Path) -> None:
    code = """
print("to stdout")
print("to stderr", file=sys.stderr)
os.write(1, b"raw\\n")
try:
    input()
except EOFError:
    print("no input")
return {"facts": "TRYOUT_FACTS" in os.environ}
"""
    with Worker(tmp_path, step_code(code)) as worker:
        worker.welcome()
        worker.begin(then={"most": 1})
        worker.expect("ready")
        assert metrics(worker.expect("results")) == [{"facts": False}]
        worker.order("drain")
        worker.expect("drained")
        assert worker.stdout.read_text() == "to stdout\nraw\nno input\n"
        assert worker.said() == "to stderr\n"


def test_children_hold_nothing(tmp_path: Path, gate: Gate) -> None:
    code = """
import multiprocessing, subprocess, tryout_worker
def child(gate, line):
    line.send(tryout_worker._connect().facts)
    os.read(os.open(gate, os.O_RDONLY), 1)
ours, theirs = multiprocessing.Pipe()
forked = multiprocessing.get_context("fork").Process(target=child, args=(config["gate"], theirs))
forked.start()
assert ours.recv() == -1
other = subprocess.Popen(["cat", config["gate"]], close_fds=False, stdout=subprocess.DEVNULL)
return {"forked": forked.pid, "other": other.pid}
"""
    with Worker(tmp_path, step_code(code)) as worker:
        worker.welcome()
        worker.begin(gate=gate.path, then={"most": 1})
        worker.expect("ready")
        children = metrics(worker.expect("results"))[0]
        try:
            worker.process.kill()
            worker.wait()
            # The end of the facts, although both children live.
            assert worker.any_fact() is None
            for child in children.values():
                os.kill(child, 0)
            # And nobody is left to read orders.
            with pytest.raises(BrokenPipeError):
                worker.order("stop")
        finally:
            for child in children.values():
                os.kill(child, signal.SIGKILL)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the parent-death signal is Linux's")
def test_it_ends_with_its_parent_even_if_its_orders_do_not(tmp_path: Path, gate: Gate) -> None:
    # A parent that starts the worker with descriptors which somebody else, this test, holds open.
    code = """
    import os, subprocess, sys
    facts = int(os.environ["TRYOUT_FACTS"])
    child = subprocess.Popen([sys.executable, sys.argv[1]], pass_fds=[facts], start_new_session=True)
    child.wait()
    """
    script = tmp_path / "worker.py"
    with Worker(tmp_path, code, str(tmp_path / "script.py"), str(script)) as parent:
        script.write_text(textwrap.dedent(step_code(WAITING)))
        hello = parent.welcome(heartbeat=0.05)
        assert hello["pid"] != parent.process.pid
        parent.begin(gate=gate.path, then={"most": 1})
        parent.expect("ready")
        # With the first heartbeat the watch has begun.
        fact = parent.any_fact()
        assert fact is not None and fact[1] == "heartbeat"
        parent.process.kill()
        deadline = time.monotonic() + 2
        while (fact := parent.any_fact()) is not None:
            assert fact[1] == "heartbeat" and time.monotonic() < deadline


def test_logs_have_a_credit(tmp_path: Path) -> None:
    code = """
    import logging, tryout_worker

    class Talking(tryout_worker.Trainable):
        def step(self):
            for level in ("debug", "info", "warning", "error"):
                getattr(logging.getLogger("talk"), level)("at %s", level)
            return {}

    logging.getLogger().setLevel(logging.DEBUG)
    tryout_worker.serve(Talking, logs=True)
    """
    with Worker(tmp_path, code) as worker:
        worker.welcome(logs=3)
        worker.begin(then={"most": 2})
        worker.expect("ready")
        said = [worker.expect("log") for _ in range(3)]
        assert [(log["level"], log["message"], log["dropped"]) for log in said] == [
            ("debug", "at debug", 0),
            ("info", "at info", 0),
            ("warn", "at warning", 0),
        ]
        assert len(worker.expect("results")["list"]) == 2
        worker.order("credit", logs=1)
        worker.order("step", most=1)
        assert worker.expect("log") == {"level": "debug", "message": "at debug", "dropped": 5}
        worker.expect("results")


def test_a_forked_child_has_no_say(tmp_path: Path) -> None:
    code = """
import logging, multiprocessing, tryout_worker
logging.getLogger().addHandler(tryout_worker.TryoutHandler())
fork = multiprocessing.get_context("fork").Process
def child():
    logging.error("from the child")
    grandchild = fork(target=logging.error, args=("from its child",))
    grandchild.start()
    grandchild.join()
    sys.exit(grandchild.exitcode)
forked = fork(target=child)
forked.start()
forked.join()
return {"exit": forked.exitcode}
"""
    with Worker(tmp_path, step_code(code)) as worker:
        worker.welcome(logs=10)
        worker.begin(then={"most": 1})
        worker.expect("ready")
        assert metrics(worker.expect("results")) == [{"exit": 0}]
        assert "Error" not in worker.said() and "ignored" not in worker.said()


@pytest.mark.parametrize("target", ["script:Counter", "./script.py:Counter"])
def test_it_runs_as_a_module(tmp_path: Path, target: str) -> None:
    with Worker(tmp_path, COUNTER, "-m", "tryout_worker", target) as worker:
        assert "save" in worker.welcome()["abilities"]
        worker.begin(then={"most": 1})
        worker.expect("ready")
        assert metrics(worker.expect("results"))[0]["count"] == 1
        assert worker.stop() == 0


def test_without_an_engine_it_says_so(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "TRYOUT_FACTS"}
    command = [sys.executable, "-c", "import tryout_worker; tryout_worker.serve(print)"]
    path = str(Path(sys.modules["tryout_worker"].__file__ or "").parent)
    ended = subprocess.run(
        command, env={**environment, "PYTHONPATH": path}, stderr=subprocess.PIPE, text=True, timeout=PATIENCE
    )
    assert ended.returncode == 1 and "an engine starts" in ended.stderr
