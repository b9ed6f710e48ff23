"""A trainable as it was written for Ray Tune. Without Ray it runs too: only the base class is missing then."""

import json
import os

try:
    from ray.tune import Trainable
except ImportError:
    Trainable = object


class Descent(Trainable):
    def setup(self, config):
        self.x, self.rate = 10.0, config["rate"]

    def step(self):
        self.x -= self.rate * 2 * self.x
        return {"loss": self.x**2}

    def save_checkpoint(self, checkpoint_dir):
        with open(os.path.join(checkpoint_dir, "x.json"), "w") as file:
            json.dump(self.x, file)

    def load_checkpoint(self, checkpoint_dir):
        with open(os.path.join(checkpoint_dir, "x.json")) as file:
            self.x = json.load(file)

    def reset_config(self, new_config):
        self.setup(new_config)
        return True
