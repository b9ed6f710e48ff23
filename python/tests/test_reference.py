"""Classes that only look like those of Ray Tune, without Ray."""

from __future__ import annotations

import pickle
from pathlib import Path

from engine import Worker, metrics

DUCK = """
    import os, sys
    sys.modules["ray"] = None
    import tryout_worker

    class Duck:
        def setup(self, config):
            self.value, self.rate = 10.0, config["rate"]

        def step(self):
            self.value *= self.rate
            return {"value": self.value, "training_iteration": 77, "date": "mine", "done": self.value < 1.5,
                    "rate": self.config["rate"], "id": self.trial_id, "here": os.path.samefile(self.logdir, os.getcwd())}

        def save_checkpoint(self, checkpoint_dir):
            kind = self.config.get("kind", "dict")
            if kind == "dict":
                return {"value": self.value}
            with open(os.path.join(checkpoint_dir, "value"), "w") as file:
                file.write(str(self.value))
            return {"none": None, "path": checkpoint_dir, "elsewhere": "/"}[kind]

        def load_checkpoint(self, checkpoint):
            if isinstance(checkpoint, dict):
                self.value = checkpoint["value"]
            else:
                with open(os.path.join(checkpoint, "value")) as file:
                    self.value = float(file.read())

        def reset_config(self, new_config):
            self.value, self.rate = 10.0, new_config["rate"]
            return True

        def cleanup(self):
            print("cleanup")

    if __name__ == "__main__":
        tryout_worker.serve(Duck)
"""


def test_a_class_that_looks_like_one(tmp_path: Path) -> None:
    saved = tmp_path / "saved"
    saved.mkdir()
    with Worker(tmp_path, DUCK) as worker:
        assert set(worker.welcome()["abilities"]) == {"steps", "save", "reset", "heartbeat", "log"}
        worker.begin(rate=0.5, then={"most": 2})
        worker.expect("ready")
        results = worker.expect("results")
        # The engine counts by itself; what else it reports is its own.
        assert metrics(results)[0] == {"value": 5.0, "date": "mine", "rate": 0.5, "id": "t1", "here": True}
        worker.order("save", dir=str(saved))
        assert worker.expect("saved") == {"kept": True}
        assert pickle.loads((saved / "_dict_checkpoint.pkl").read_bytes()) == {"value": 2.5}
        worker.begin("reset", lease=2, rate=0.8)
        worker.expect("ready", lease=2)
        worker.order("restore", lease=2, dir=str(saved), iteration=2)
        worker.expect("restored", lease=2)
        results = worker.step(lease=2, most=10)
        first = metrics(results)[0]
        assert (first["value"], first["rate"], first["id"], first["here"]) == (2.0, 0.8, "t2", True)
        assert len(results["list"]) == 3 and results["end"] == "done"
        assert worker.stop() == 0
        assert worker.stdout.read_text() == "cleanup\n"


def test_what_save_checkpoint_may_return(tmp_path: Path) -> None:
    with Worker(tmp_path, DUCK) as worker:
        worker.welcome()
        for lease, kind in enumerate(("none", "path"), 1):
            saved = tmp_path / kind
            saved.mkdir()
            worker.begin("start" if lease == 1 else "reset", lease=lease, rate=0.5, kind=kind, then={"most": 1})
            worker.expect("ready", lease=lease)
            worker.expect("results", lease=lease)
            worker.order("save", lease=lease, dir=str(saved))
            worker.expect("saved", lease=lease)
            worker.order("restore", lease=lease, dir=str(saved), iteration=1)
            worker.expect("restored", lease=lease)
            assert metrics(worker.step(lease=lease))[0]["value"] == 2.5
        worker.begin("reset", lease=3, rate=0.5, kind="elsewhere")
        worker.expect("ready", lease=3)
        worker.order("save", lease=3, dir=str(tmp_path / "path"))
        assert "save_checkpoint returned '/'" in worker.expect("failed", lease=3)["message"]


def test_the_least_of_a_class(tmp_path: Path) -> None:
    code = """
    import tryout_worker

    class Least:
        def step(self):
            return {"loss": 1.0}

    tryout_worker.serve(Least)
    """
    with Worker(tmp_path, code) as worker:
        assert set(worker.welcome()["abilities"]) == {"steps", "reset", "heartbeat", "log"}
        for lease in (1, 2):
            worker.begin("reset" if lease == 2 else "start", lease=lease, then={"most": 1})
            worker.expect("ready", lease=lease)
            assert metrics(worker.expect("results", lease=lease)) == [{"loss": 1.0}]
        worker.order("save", lease=2, dir=str(tmp_path))
        assert worker.expect("saved", lease=2) == {"kept": False}
        assert worker.stop() == 0
