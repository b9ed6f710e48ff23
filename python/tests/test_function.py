"""A function that reports, in a real process."""

from __future__ import annotations

from pathlib import Path

import pytest
from engine import Gate, Worker, metrics

TRAIN = """
    import os
    from tryout_worker import run

    def train(config, trial):
        start = 0
        if trial.checkpoint():
            with open(os.path.join(trial.checkpoint(), "count")) as file:
                start = int(file.read())
        gate = os.open(config["gate"], os.O_RDONLY) if "gate" in config else None
        try:
            for count in range(start + 1, config.get("last", 1_000_000) + 1):
                if gate is not None:
                    os.read(gate, 1)
                if count == config.get("fails_at"):
                    raise ValueError("enough")
                if count % config.get("every", 1_000_000_000) == 0:
                    directory = trial.new_checkpoint()
                    with open(os.path.join(directory, "count"), "w") as file:
                        file.write(str(count))
                    trial.report(count=count, checkpoint=directory)
                else:
                    trial.report({"count": count}, iteration=trial.iteration)
        finally:
            print("finally", trial.id)

    if __name__ == "__main__":
        run(train)
"""


def test_a_conversation(tmp_path: Path) -> None:
    with Worker(tmp_path, TRAIN) as worker:
        assert set(worker.welcome()["abilities"]) == {"reset", "heartbeat", "log"}
        worker.begin(last=5, then={"most": 1})
        worker.expect("ready")
        assert metrics(worker.expect("results")) == [{"count": 1, "iteration": 0}]
        # There is nothing newer than what it has handed in.
        worker.order("save", dir=str(tmp_path))
        assert worker.expect("saved") == {"kept": False}
        worker.order("hurry")
        results = worker.step(most=3)
        assert [m["count"] for m in metrics(results)] == [2, 3, 4] and results["end"] is None
        results = worker.step(most=10)
        assert [m["count"] for m in metrics(results)] == [5] and results["end"] == "done"
        worker.order("drain")
        worker.expect("drained")
        worker.begin("reset", lease=2, last=0, then={"most": 1})
        worker.expect("ready", lease=2)
        # One that ends without a result.
        assert worker.expect("results", lease=2) == {"list": [], "end": "done", "checkpoint": None}
        assert worker.stop() == 0
        assert worker.stdout.read_text() == "finally t1\nfinally t2\n"


def test_a_drain_unwinds_it(tmp_path: Path, gate: Gate) -> None:
    with Worker(tmp_path, TRAIN) as worker:
        worker.welcome()
        # Once between two batches, once within one.
        worker.begin(then={"most": 1})
        worker.expect("ready")
        worker.expect("results")
        worker.order("drain")
        worker.expect("drained")
        assert worker.stdout.read_text() == "finally t1\n"
        worker.begin("reset", lease=2, gate=gate.path, then={"most": 1_000_000})
        worker.order("drain", lease=2)
        worker.expect("ready", lease=2)
        while not worker.ready(0.01):
            gate.open()
        worker.expect("drained", lease=2)
        worker.begin("reset", lease=3, last=1, then={"most": 2})
        worker.expect("ready", lease=3)
        assert metrics(worker.expect("results", lease=3)) == [{"count": 1, "iteration": 0}]


def test_a_stop_unwinds_it(tmp_path: Path) -> None:
    with Worker(tmp_path, TRAIN) as worker:
        worker.welcome()
        worker.begin(then={"most": 1})
        worker.expect("ready")
        worker.expect("results")
        assert worker.stop() == 0
        assert worker.stdout.read_text() == "finally t1\n"


def test_it_hurries(tmp_path: Path, gate: Gate) -> None:
    with Worker(tmp_path, TRAIN) as worker:
        worker.welcome()
        worker.begin(gate=gate.path, then={"most": 1_000_000})
        worker.expect("ready")
        worker.order("hurry")
        while not worker.ready(0.01):
            gate.open()
        first = len(worker.expect("results")["list"])
        gate.open(first + 10)
        assert metrics(worker.step())[0]["count"] == first + 1


def test_checkpoints_are_handed_in_and_taken_up(tmp_path: Path) -> None:
    with Worker(tmp_path, TRAIN) as worker:
        worker.welcome()
        directory = worker.begin(every=3, then={"most": 10})
        worker.expect("ready")
        results = worker.expect("results")
        # The batch ends with it.
        assert [m["count"] for m in metrics(results)] == [1, 2, 3] and results["end"] == "save"
        checkpoint = Path(results["checkpoint"])
        assert checkpoint.is_relative_to(directory.resolve())
        kept = checkpoint.rename(tmp_path / "kept")
        assert Path(worker.step(most=10)["checkpoint"]) != checkpoint
        worker.order("drain")
        worker.expect("drained")
        worker.begin("reset", lease=2, last=5)
        worker.expect("ready", lease=2)
        worker.order("restore", lease=2, dir=str(kept), iteration=3)
        worker.expect("restored", lease=2)
        results = worker.step(lease=2, most=10)
        assert metrics(results) == [{"count": 4, "iteration": 3}, {"count": 5, "iteration": 4}]
        assert results["end"] == "done"


def test_a_checkpoint_from_elsewhere_is_copied(tmp_path: Path) -> None:
    code = """
    import os, tempfile
    from tryout_worker import checkpoint, report, serve

    def train(config):
        assert checkpoint() is None
        with tempfile.TemporaryDirectory() as directory:
            with open(os.path.join(directory, "x"), "w") as file:
                file.write("state")
            report({"loss": 1.0}, checkpoint=directory)
            assert os.path.exists(os.path.join(directory, "x"))
        try:
            report(loss=0.5, checkpoint=os.getcwd())
        except ValueError:
            return {"loss": 0.25}

    serve(train)
    """
    with Worker(tmp_path, code) as worker:
        worker.welcome()
        directory = worker.begin(then={"most": 10})
        worker.expect("ready")
        checkpoint = Path(worker.expect("results")["checkpoint"])
        assert checkpoint.is_relative_to(directory.resolve()) and (checkpoint / "x").read_text() == "state"
        results = worker.step(most=10)
        assert metrics(results) == [{"loss": 0.25}] and results["end"] == "done"


def test_failures(tmp_path: Path) -> None:
    with Worker(tmp_path, TRAIN) as worker:
        worker.welcome()
        worker.begin(fails_at=3, then={"most": 10})
        worker.expect("ready")
        assert len(worker.expect("results")["list"]) == 2
        worker.order("step", most=10)
        failed = worker.expect("failed")
        assert failed["message"] == "ValueError: enough" and "in train" in failed["trace"]
        worker.begin("reset", lease=2, fails_at=1, then={"most": 10})
        worker.expect("ready", lease=2)
        assert worker.expect("failed", lease=2)["kind"] == "error"
        assert worker.stop() == 0


@pytest.mark.parametrize("code", ["sys.exit(3)", "raise BaseException('odd')"])
def test_what_is_no_exception_is_a_failure_too(tmp_path: Path, code: str) -> None:
    with Worker(
        tmp_path, f"import sys\nimport tryout_worker\ndef train(config, trial):\n  {code}\ntryout_worker.serve(train)"
    ) as worker:
        worker.welcome()
        worker.begin(then={"most": 1})
        worker.expect("ready")
        assert worker.expect("failed")["message"] in ("SystemExit: 3", "BaseException: odd")
        assert worker.stop() == 0


def test_a_result_that_is_too_long_ends_it(tmp_path: Path) -> None:
    code = """
    from tryout_worker import serve

    def train(config, trial):
        try:
            while True:
                trial.report(text="x" * 10_000)
        finally:
            print("finally")

    serve(train)
    """
    with Worker(tmp_path, code) as worker:
        worker.welcome(max_frame=5_000)
        worker.begin(then={"most": 1})
        worker.expect("ready")
        assert worker.expect("failed")["message"] == "ValueError: 1 results take more than 5000 bytes"
        assert worker.stop() == 0
        assert worker.stdout.read_text() == "finally\n"


def test_who_swallows_the_end_is_told_again(tmp_path: Path) -> None:
    code = """
    from tryout_worker import Stopped, serve

    def train(config, trial):
        for _ in range(3):
            try:
                trial.report(loss=1.0)
            except Stopped:
                print("stopped")

    serve(train)
    """
    with Worker(tmp_path, code) as worker:
        worker.welcome()
        worker.begin(then={"most": 1})
        worker.expect("ready")
        worker.expect("results")
        worker.order("drain")
        worker.expect("drained")
        assert worker.stdout.read_text() == "stopped\n" * 3


def test_what_is_done_says_so(tmp_path: Path) -> None:
    code = "import tryout_worker\ndef train(config, trial):\n  trial.report(loss=1.0, done=True)\ntryout_worker.serve(train)"
    with Worker(tmp_path, code) as worker:
        worker.welcome()
        worker.begin(then={"most": 9})
        worker.expect("ready")
        results = worker.expect("results")
        assert metrics(results) == [{"loss": 1.0}] and results["end"] == "done"
        worker.order("drain")
        worker.expect("drained")


def test_only_a_function_reports(tmp_path: Path) -> None:
    code = """
    import tryout_worker

    class Reporting(tryout_worker.Trainable):
        def step(self):
            self.trial.report(loss=1.0)

    tryout_worker.serve(Reporting)
    """
    with Worker(tmp_path, code) as worker:
        worker.welcome()
        worker.begin(then={"most": 1})
        worker.expect("ready")
        assert "only a function reports" in worker.expect("failed")["message"]
