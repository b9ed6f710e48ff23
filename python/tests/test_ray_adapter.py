"""The real thing: a subclass of `ray.tune.Trainable`, unchanged, under our protocol."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import pytest
from engine import Worker, metrics

if importlib.util.find_spec("ray") is None:
    pytest.skip("ray isn't installed", allow_module_level=True)
pytest.importorskip("ray.tune")

# A module as its author wrote it for Ray Tune, which knows nothing of us.
TRAINABLE = """
    import os

    from ray import tune


    class Walk(tune.Trainable):
        instances = 0

        def setup(self, config):
            Walk.instances += 1
            assert config == self.config and "__trial_info__" not in config
            self.position, self.rate = config.get("start", 8.0), config["rate"]
            self.callback = lambda: self.position

        def step(self):
            self.position *= self.rate
            return {
                "position": self.position,
                "deep": {"er": self.callback()},
                "iteration": self.iteration,
                "timesteps_this_iter": 10,
                "instances": Walk.instances,
                "trial": self.trial_id,
                "name": self.trial_name,
                "logdir": self.logdir,
                "cwd": os.getcwd(),
                "cpus": self.trial_resources.required_resources["CPU"],
                "done": self.position < self.config.get("end", 0.0),
                **({"should_checkpoint": True} if self.iteration == self.config.get("save_at") else {}),
            }

        def save_checkpoint(self, checkpoint_dir):
            if self.config.get("kind") == "file":
                with open(os.path.join(checkpoint_dir, "position.txt"), "w") as file:
                    file.write(str(self.position))
                return None
            # Nothing that `pickle` alone could write.
            position = self.position
            return {"position": lambda: position}

        def load_checkpoint(self, checkpoint):
            if isinstance(checkpoint, dict):
                self.position = checkpoint["position"]()
            else:
                with open(os.path.join(checkpoint, "position.txt")) as file:
                    self.position = float(file.read())

        def reset_config(self, new_config):
            if new_config.get("kind") == "refuse":
                return False
            self.position, self.rate = new_config.get("start", 8.0), new_config["rate"]
            return True

        def log_result(self, result):
            assert result["training_iteration"] == self.iteration and result["config"] == self.config

        def cleanup(self):
            print("cleanup", self.trial_id)

        def _export_model(self, export_formats, export_dir):
            with open(os.path.join(export_dir, "model.txt"), "w") as file:
                file.write(f"{export_formats} {self.position}")
            return {}
"""

TARGET = "./script.py:Walk"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home directory of its own: Ray Tune must leave nothing in it."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    return home


def test_a_real_trainable(tmp_path: Path, home: Path) -> None:
    with Worker(tmp_path, TRAINABLE, "-m", "tryout_worker", TARGET, over="socket") as worker:
        assert set(worker.welcome()["abilities"]) == {"steps", "save", "reset", "export", "heartbeat", "log"}
        directory = worker.begin(rate=0.5, end=1.5, then={"most": 2})
        worker.expect("ready")
        results = worker.expect("results")
        first, second = metrics(results)
        # Ray's own keys are left out, all else is there.
        place = str(directory)
        assert first == {
            "position": 4.0, "deep/er": 4.0, "iteration": 0, "timesteps_this_iter": 10, "instances": 1,
            "trial": "t1", "name": "Walk_t1", "logdir": place, "cwd": os.path.realpath(place), "cpus": 2.0,
        }  # fmt: skip
        assert second["position"] == 2.0 and second["iteration"] == 1 and results["end"] is None
        results = worker.step(most=10)
        assert len(results["list"]) == 1 and results["end"] == "done"
        exported = tmp_path / "exported"
        exported.mkdir()
        worker.order("export", dir=str(exported), format="model")
        worker.expect("exported")
        assert (exported / "model.txt").read_text() == "['model'] 1.0"
        assert worker.stop() == 0
        assert worker.stdout.read_text() == "cleanup t1\n"
    assert not (home / "ray_results").exists()


@pytest.mark.parametrize("kind", ["dict", "file"])
def test_its_checkpoints(tmp_path: Path, kind: str) -> None:
    saved = tmp_path / "saved"
    saved.mkdir()
    with Worker(tmp_path, TRAINABLE, "-m", "tryout_worker", TARGET) as worker:
        worker.welcome()
        worker.begin(rate=0.5, kind=kind, save_at=1, then={"most": 10})
        worker.expect("ready")
        results = worker.expect("results")
        assert len(results["list"]) == 2 and results["end"] == "save"
        worker.order("save", dir=str(saved))
        assert worker.expect("saved") == {"kept": True}
    with Worker(tmp_path, TRAINABLE, "-m", "tryout_worker", TARGET) as worker:
        worker.welcome()
        worker.begin(rate=0.5, kind=kind)
        worker.expect("ready")
        worker.order("restore", dir=str(saved), iteration=2)
        worker.expect("restored")
        (result,) = metrics(worker.step())
        assert result["position"] == 1.0 and result["iteration"] == 2


def test_it_is_used_again(tmp_path: Path) -> None:
    with Worker(tmp_path, TRAINABLE, "-m", "tryout_worker", TARGET) as worker:
        worker.welcome()
        worker.begin(rate=0.5, then={"most": 1})
        worker.expect("ready")
        worker.expect("results")
        directory = worker.begin("reset", lease=2, rate=0.25, then={"most": 2})
        worker.expect("ready", lease=2)
        first, second = metrics(worker.expect("results", lease=2))
        assert (first["position"], first["trial"], first["instances"], first["iteration"]) == (2.0, "t2", 1, 0)
        assert first["logdir"] == str(directory) and second["iteration"] == 1
        worker.begin("reset", lease=3, rate=0.5, kind="refuse", then={"most": 1})
        worker.expect("ready", lease=3)
        (first,) = metrics(worker.expect("results", lease=3))
        assert (first["trial"], first["instances"]) == ("t3", 2)
        assert worker.stop() == 0
        assert worker.stdout.read_text().endswith("cleanup t3\n")


def test_its_failures(tmp_path: Path) -> None:
    code = """
    from ray import tune

    class Broken(tune.Trainable):
        def step(self):
            raise ZeroDivisionError("in the step")
    """
    with Worker(tmp_path, code, "-m", "tryout_worker", "./script.py:Broken") as worker:
        # It has no save_checkpoint but the one of its base, which only says that there is none.
        assert set(worker.welcome()["abilities"]) == {"steps", "reset", "heartbeat", "log"}
        worker.begin(then={"most": 1})
        worker.expect("ready")
        worker.order("save", dir=str(tmp_path))
        failed = worker.expect("failed")
        assert failed["kind"] == "error" and failed["message"] == "ZeroDivisionError: in the step"
        assert failed["place"].startswith(str(tmp_path / "script.py"))
