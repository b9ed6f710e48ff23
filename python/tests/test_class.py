"""A class that goes step by step, in a real process."""

from __future__ import annotations

import math
import time
from pathlib import Path

import pytest
from engine import Gate, Worker, metrics

COUNTER = """
    import json, os
    from tryout_worker import Done, Save, Trainable, serve

    class Counter(Trainable):
        made = 0

        def setup(self, config):
            Counter.made += 1
            self.config, self.count, self.events = config, 0, ["setup"]
            self.gate = os.open(config["gate"], os.O_RDONLY) if "gate" in config else None

        def step(self):
            if self.gate is not None:
                os.read(self.gate, 1)
            self.count += 1
            if self.count == self.config.get("fails_at"):
                raise ValueError("enough")
            result = {"count": self.count, "made": self.made, "trial": self.trial.id}
            if self.count == self.config.get("saves_at"):
                return Save(result)
            return Done(result) if self.count == self.config.get("done_at") else result

        def save(self, directory):
            with open(os.path.join(directory, "count.json"), "w") as file:
                json.dump(self.count, file)

        def load(self, directory):
            with open(os.path.join(directory, "count.json")) as file:
                self.count = json.load(file)

        def reset(self, config):
            if config.get("reset") == "raise":
                raise KeyError("reset")
            if config.get("reset") == "refuse":
                return False
            self.config, self.count = config, 0
            return True

        def export(self, directory, format):
            with open(os.path.join(directory, "model.txt"), "w") as file:
                file.write(str(self.count))

        def cleanup(self):
            print("cleanup", self.trial.id)

    if __name__ == "__main__":
        serve(Counter)
"""


def step_code(body: str) -> str:
    """A class with this step."""
    lines = "\n".join("            " + line for line in body.strip().splitlines())
    return f"""
    import os, sys
    from tryout_worker import Done, Trainable, serve

    class Stepper(Trainable):
        def step(self):
            config = self.config
{lines}

        def setup(self, config):
            self.config = config

    if __name__ == "__main__":
        serve(Stepper)
    """


@pytest.mark.parametrize("over", ["pipe", "socket"])
def test_a_conversation(tmp_path: Path, over: str) -> None:
    with Worker(tmp_path, COUNTER, over=over) as worker:
        hello = worker.welcome()
        assert hello["protocol"] == 1 and hello["pid"] == worker.process.pid
        assert set(hello["abilities"]) == {"steps", "save", "reset", "export", "heartbeat", "log"}
        worker.begin(then={"most": 1, "seconds": None})
        worker.expect("ready")
        before = time.time()
        results = worker.expect("results")
        assert metrics(results) == [{"count": 1, "made": 1, "trial": "t1"}]
        assert results["end"] is None and results["checkpoint"] is None
        (row,) = results["list"]
        assert 0 <= row["seconds"] < 30 and abs(row["at"] - before) < 30
        assert [m["count"] for m in metrics(worker.step(most=3))] == [2, 3, 4]
        worker.order("drain")
        worker.expect("drained")
        worker.begin("reset", lease=2, then={"most": 2})
        worker.expect("ready", lease=2)
        assert metrics(worker.expect("results", lease=2)) == [
            {"count": 1, "made": 1, "trial": "t2"},
            {"count": 2, "made": 1, "trial": "t2"},
        ]
        assert worker.stop() == 0
        assert worker.stdout.read_text() == "cleanup t2\n"


def test_a_batch_ends_when_it_is_full_or_late_or_done(tmp_path: Path, gate: Gate) -> None:
    with Worker(tmp_path, COUNTER) as worker:
        worker.welcome()
        worker.begin(done_at=8, saves_at=7, gate=gate.path)
        worker.expect("ready")
        gate.open(100)
        assert len(worker.step(most=4)["list"]) == 4
        # The first result comes later than no time at all.
        assert len(worker.step(most=50, seconds=0.0)["list"]) == 1
        results = worker.step(most=50)
        assert [m["count"] for m in metrics(results)] == [6, 7] and results["end"] == "save"
        results = worker.step(most=50, seconds=60.0)
        assert metrics(results) == [{"count": 8, "made": 1, "trial": "t1"}] and results["end"] == "done"


def test_it_hurries(tmp_path: Path, gate: Gate) -> None:
    with Worker(tmp_path, COUNTER) as worker:
        worker.welcome()
        worker.begin(gate=gate.path)
        worker.expect("ready")
        # One that comes too late is for nothing.
        worker.order("hurry")
        worker.order("step", most=1_000_000)
        gate.open(2)
        worker.order("hurry")
        gate.open()
        while not worker.ready(0.01):
            gate.open()
        first = len(worker.expect("results")["list"])
        assert 1 <= first < 1_000_000
        # Those that passed the gate in the meantime are counted on.
        gate.open(first + 10)
        assert metrics(worker.step(most=2))[0]["count"] == first + 1


def test_who_has_left_hears_no_more_of_it(tmp_path: Path, gate: Gate) -> None:
    with Worker(tmp_path, COUNTER) as worker:
        worker.welcome()
        worker.begin(gate=gate.path)
        worker.expect("ready")
        worker.order("step", most=1_000_000)
        worker.order("drain")
        while not worker.ready(0.01):
            gate.open()
        assert worker.expect("drained") == {}
        worker.begin("reset", lease=2, reset="refuse")
        worker.expect("ready", lease=2)
        assert metrics(worker.step(lease=2)) == [{"count": 1, "made": 2, "trial": "t2"}]
        # The one before was cleaned up as the trial that it was.
        assert worker.stdout.read_text() == "cleanup t1\n"


def test_who_is_at_rest_needs_no_drain(tmp_path: Path) -> None:
    with Worker(tmp_path, COUNTER) as worker:
        worker.welcome()
        worker.begin(then={"most": 2})
        worker.expect("ready")
        worker.expect("results")
        worker.begin("reset", lease=2, then={"most": 1})
        worker.expect("ready", lease=2)
        assert metrics(worker.expect("results", lease=2)) == [{"count": 1, "made": 1, "trial": "t2"}]


def test_a_trial_that_left_before_it_began(tmp_path: Path) -> None:
    with Worker(tmp_path, COUNTER) as worker:
        worker.welcome()
        worker.begin(then={"most": 1_000_000})
        worker.order("drain")
        worker.begin("reset", lease=2)
        worker.expect("ready")
        worker.expect("drained")
        worker.expect("ready", lease=2)


def test_a_checkpoint_goes_round(tmp_path: Path) -> None:
    saved, exported = tmp_path / "saved", tmp_path / "exported"
    saved.mkdir()
    exported.mkdir()
    with Worker(tmp_path, COUNTER) as worker:
        worker.welcome()
        worker.begin(then={"most": 3})
        worker.expect("ready")
        worker.expect("results")
        worker.order("save", dir=str(saved))
        assert worker.expect("saved") == {"kept": True}
        worker.order("export", dir=str(exported), format="model")
        worker.expect("exported")
        assert (exported / "model.txt").read_text() == "3"
        worker.order("drain")
        worker.expect("drained")
        worker.begin("reset", lease=2)
        worker.expect("ready", lease=2)
        worker.order("restore", lease=2, dir=str(saved), iteration=3)
        assert worker.expect("restored", lease=2) == {}
        assert metrics(worker.step(lease=2))[0]["count"] == 4


def test_what_has_no_state_keeps_nothing(tmp_path: Path) -> None:
    with Worker(tmp_path, step_code("return {}")) as worker:
        assert set(worker.welcome()["abilities"]) == {"steps", "reset", "heartbeat", "log"}
        worker.begin()
        worker.expect("ready")
        assert worker.step()["list"][0]["metrics"] == {}
        worker.order("save", dir=str(tmp_path))
        assert worker.expect("saved") == {"kept": False}
        worker.order("restore", dir=str(tmp_path), iteration=1)
        failed = worker.expect("failed")
        assert failed["kind"] == "restore" and failed["message"] == "NotImplementedError: Stepper has no load()"


def test_a_failure_has_a_trace(tmp_path: Path) -> None:
    with Worker(tmp_path, COUNTER) as worker:
        worker.welcome()
        worker.begin(fails_at=1, then={"most": 1})
        worker.expect("ready")
        failed = worker.expect("failed")
        assert failed["kind"] == "error" and failed["message"] == "ValueError: enough"
        assert failed["place"].startswith(str(tmp_path / "script.py") + ":")
        assert "script.py" in failed["trace"] and 'raise ValueError("enough")' in failed["trace"]
        # It stays so, until it is told to stop.
        worker.order("save", dir=str(tmp_path))
        assert worker.expect("failed") == failed
        worker.order("drain")
        worker.expect("drained")
        assert worker.stop() == 0
        assert worker.stdout.read_text() == "cleanup t1\n"


def test_a_failure_does_not_lose_the_results_before_it(tmp_path: Path) -> None:
    with Worker(tmp_path, COUNTER) as worker:
        worker.welcome()
        worker.begin(fails_at=3, then={"most": 10})
        worker.expect("ready")
        results = worker.expect("results")
        assert [m["count"] for m in metrics(results)] == [1, 2] and results["end"] is None
        worker.order("step", most=10)
        assert worker.expect("failed")["message"] == "ValueError: enough"


def test_a_failed_object_is_not_used_again(tmp_path: Path) -> None:
    with Worker(tmp_path, COUNTER) as worker:
        worker.welcome()
        worker.begin(fails_at=2, then={"most": 10})
        worker.expect("ready")
        assert len(worker.expect("results")["list"]) == 1
        # The trial was stopped before it heard of the failure.
        worker.order("drain")
        worker.expect("drained")
        worker.begin("reset", lease=2, then={"most": 1})
        worker.expect("ready", lease=2)
        assert metrics(worker.expect("results", lease=2)) == [{"count": 1, "made": 2, "trial": "t2"}]


def test_a_reset_that_fails(tmp_path: Path) -> None:
    with Worker(tmp_path, COUNTER) as worker:
        worker.welcome()
        worker.begin()
        worker.expect("ready")
        worker.order("drain")
        worker.expect("drained")
        worker.begin("reset", lease=2, reset="raise", then={"most": 1})
        failed = worker.expect("failed", lease=2)
        assert (failed["kind"], failed["message"]) == ("reset", "KeyError: 'reset'")
        assert worker.stop() == 0


@pytest.mark.parametrize(
    ("raised", "kind", "message"),
    [
        ("raise MemoryError('no more')", "out_of_memory", "MemoryError: no more"),
        ("raise type('OutOfMemoryError', (RuntimeError,), {})('cuda')", "out_of_memory", "OutOfMemoryError: cuda"),
        ("sys.exit(3)", "error", "SystemExit: 3"),
        ("raise KeyboardInterrupt", "error", "KeyboardInterrupt"),
        ("raise OSError(os.fsdecode(b'\\xff'))", "error", "OSError: ?"),
        ("return None", "error", "TypeError: metrics are a dict of named values, not a NoneType"),
        ("return {'a': {'b': object()}}", "error", "TypeError: metric 'a/b' is a builtins.object, which is no number, "
         "truth value or text"),
    ],
)  # fmt: skip
def test_kinds_of_failures(tmp_path: Path, raised: str, kind: str, message: str) -> None:
    with Worker(tmp_path, step_code(raised)) as worker:
        worker.welcome()
        worker.begin(then={"most": 1})
        worker.expect("ready")
        failed = worker.expect("failed")
        assert (failed["kind"], failed["message"]) == (kind, message)
        assert worker.stop() == 0


@pytest.mark.parametrize(
    ("method", "order"), [("setup", "start"), ("save", "save"), ("load", "restore"), ("export", "export")]
)
def test_failures_of_other_methods(tmp_path: Path, method: str, order: str) -> None:
    code = f"""
    from tryout_worker import Trainable, serve

    class Broken(Trainable):
        def {method}(self, *what):
            raise RuntimeError("x" * 100_000)

    serve(Broken)
    """
    with Worker(tmp_path, code) as worker:
        worker.welcome()
        worker.begin()
        if order != "start":
            worker.expect("ready")
            worker.order(order, dir=str(tmp_path), iteration=1, format="model")
        failed = worker.expect("failed")
        assert failed["kind"] == ("setup" if order == "start" else order)
        assert failed["message"].startswith("RuntimeError: xxx") and len(failed["trace"]) == 16384


def test_all_sorts_of_metrics(tmp_path: Path) -> None:
    values = """
nan, inf = float("nan"), float("inf")
return {
    "nan": nan, "inf": inf, "minus": -inf, "yes": True, "none": None, "text": "ä\\n\\u2028", "int": -2**63, "big": 2**63,
    "deep": {"er": {"loss": 0.5, "nan": nan}}, "list": [1, (2.0, "b")], 3: 4, "done": False, "empty": {},
}
"""
    with Worker(tmp_path, step_code(values)) as worker:
        worker.welcome()
        worker.begin(then={"most": 2})
        worker.expect("ready")
        results = worker.expect("results")
        expected = {
            "nan": "NaN", "inf": "Infinity", "minus": "-Infinity", "yes": True, "none": "NaN", "text": "ä\n\u2028",
            "int": -(2**63), "big": 2.0**63, "deep/er/loss": 0.5, "deep/er/nan": "NaN", "list/0": 1,
            "list/1/0": 2.0, "list/1/1": "b", "3": 4,
        }  # fmt: skip
        assert metrics(results) == [expected, expected] and results["end"] is None
        assert type(metrics(results)[0]["big"]) is float and metrics(results)[0]["yes"] is True


def test_a_dict_that_is_used_again_is_not_the_same_result(tmp_path: Path) -> None:
    code = "config['n'] = config.get('n', 0) + 1\nreturn config"
    with Worker(tmp_path, step_code(code)) as worker:
        worker.welcome()
        worker.begin(then={"most": 3})
        worker.expect("ready")
        assert metrics(worker.expect("results")) == [{"n": 1}, {"n": 2}, {"n": 3}]


@pytest.mark.parametrize("what", ["'done': True", "'done': 1", "'should_checkpoint': True"])
def test_the_keys_of_the_reference(tmp_path: Path, what: str) -> None:
    with Worker(tmp_path, step_code(f"return {{'loss': 1.0, {what}}}")) as worker:
        worker.welcome()
        worker.begin(then={"most": 5})
        worker.expect("ready")
        results = worker.expect("results")
        assert metrics(results) == [{"loss": 1.0}]
        assert results["end"] == ("done" if "done" in what else "save")


def test_numpy_numbers(tmp_path: Path) -> None:
    pytest.importorskip("numpy")
    code = """
import numpy as np
return {
    "f32": np.float32(0.5), "f64": np.float64(0.25), "nan": np.float64("nan"), "inf": np.float32("-inf"), "i": np.int64(7),
    "u": np.uint64(2**64 - 1), "b": np.bool_(True), "zero_d": np.array(1.5), "long": np.longdouble(2), "s": np.str_("x"),
    "done": np.bool_(config.get("done", False)), **({"bad": np.zeros((2, 3))} if config.get("bad") else {}),
}
"""
    with Worker(tmp_path, step_code(code)) as worker:
        worker.welcome()
        worker.begin(then={"most": 1})
        worker.expect("ready")
        assert metrics(worker.expect("results")) == [
            {
                "f32": 0.5, "f64": 0.25, "nan": "NaN", "inf": "-Infinity", "i": 7, "u": 2.0**64, "b": True, "zero_d": 1.5,
                "long": 2.0, "s": "x",
            }
        ]  # fmt: skip
        worker.begin("reset", lease=2, done=True, then={"most": 9})
        worker.expect("ready", lease=2)
        results = worker.expect("results", lease=2)
        assert results["end"] == "done" and len(results["list"]) == 1
        worker.begin("reset", lease=3, bad=True, then={"most": 1})
        worker.expect("ready", lease=3)
        message = worker.expect("failed", lease=3)["message"]
        assert message.startswith("TypeError: metric 'bad' is a numpy.ndarray of shape (2, 3)")


def test_what_is_too_long_is_a_failure(tmp_path: Path) -> None:
    with Worker(tmp_path, step_code("return {'text': 'x' * config['long']}")) as worker:
        worker.welcome(max_frame=10_000)
        worker.begin(long=100, then={"most": 10})
        worker.expect("ready")
        assert len(worker.expect("results")["list"]) == 10
        worker.order("step", most=1000)
        failed = worker.expect("failed")
        assert failed["kind"] == "error"
        assert failed["message"] == "ValueError: 1000 results take more than 10000 bytes"


def test_a_failure_that_is_too_long_is_cut(tmp_path: Path) -> None:
    with Worker(tmp_path, step_code("raise ValueError('\\0' * 100_000)")) as worker:
        worker.welcome(max_frame=2_000)
        worker.begin(then={"most": 1})
        worker.expect("ready")
        failed = worker.expect("failed")
        assert failed["trace"] is None and failed["place"] is None and failed["message"].startswith("ValueError: \0\0")


def test_the_trial_and_its_directory(tmp_path: Path) -> None:
    code = """
trial = self.trial
return {"id": trial.id, "number": trial.number, "attempt": trial.attempt, "experiment": trial.experiment, "cwd": os.getcwd(),
        "seed": str(trial.seed), "cpu": trial.resources["cpu"], "gpus": str(trial.gpus), "iteration": trial.iteration,
        "here": os.path.samefile(trial.dir, os.getcwd())}
"""
    with Worker(tmp_path, step_code(code)) as worker:
        worker.welcome()
        for lease, order in ((1, "start"), (2, "reset")):
            directory = worker.begin(order, lease=lease, then={"most": 2})
            worker.expect("ready", lease=lease)
            first, second = metrics(worker.expect("results", lease=lease))
            assert first == {
                "id": f"t{lease}", "number": lease - 1, "attempt": 1, "experiment": "e", "cwd": str(directory.resolve()),
                "seed": str(2**64 - lease), "cpu": 2.0, "gpus": "[]", "iteration": 0, "here": True,
            }  # fmt: skip
            assert second["iteration"] == 1


def test_a_large_number_of_results_passes_a_full_pipe(tmp_path: Path) -> None:
    with Worker(tmp_path, step_code("return {'text': 'x' * 1000}")) as worker:
        worker.welcome(max_frame=16 << 20)
        worker.begin(then={"most": 10_000})
        worker.expect("ready")
        results = worker.expect("results")
        assert len(results["list"]) == 10_000
        times = [row["at"] for row in results["list"]]
        assert times == sorted(times) and math.isfinite(times[0])
