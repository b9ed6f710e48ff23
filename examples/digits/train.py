"""Learns handwritten digits (`README.md` says whose) by softmax regression: a worker of tryout, with Python's own library only."""

import json
import math
import random
from pathlib import Path

from tryout_worker import Trainable, serve

CLASSES = 10
WHITE = 16.0
# A step learns from so many images: a short epoch.
IMAGES = 320


def load():
    """Images, each with a 1 for the bias and the digit that it shows, in an order that every trial sees."""
    lines = Path(__file__).with_name("optdigits.csv").read_text().split()
    rows = [[int(number) for number in line.split(",")] for line in lines]
    random.Random(1797).shuffle(rows)
    return [([pixel / WHITE for pixel in row[:-1]] + [1.0], row[-1]) for row in rows]


# Once for all trials of this process: it goes on from one to the next.
DATA = load()
HELD_OUT, TRAIN = DATA[:450], DATA[450:]


def dot(one, other):
    return sum(map(float.__mul__, one, other))


class Digits(Trainable):
    def setup(self, config):
        self.lr, self.momentum, self.decay = config["lr"], config["momentum"], config["decay"]
        self.batch = config["batch"]
        self.dice = random.Random(self.trial.seed)
        self.weights = [[0.0] * 65 for _ in range(CLASSES)]
        self.speed = [[0.0] * 65 for _ in range(CLASSES)]

    def likely(self, image):
        """How likely each digit is."""
        scores = [dot(row, image) for row in self.weights]
        powers = [math.exp(score - max(scores)) for score in scores]
        whole = sum(powers)
        return [power / whole for power in powers]

    def learn(self, samples):
        """A step down the slope of the loss on a few images."""
        blames = [[p - (c == digit) for c, p in enumerate(self.likely(image))] for image, digit in samples]
        columns = list(zip(*(image for image, _ in samples)))
        for c, (row, speed) in enumerate(zip(self.weights, self.speed)):
            blame = [each[c] for each in blames]
            for i, column in enumerate(columns):
                slope = dot(blame, column) / len(samples) + self.decay * row[i]
                speed[i] = self.momentum * speed[i] - self.lr * slope
                row[i] += speed[i]

    def step(self):
        images = self.dice.sample(TRAIN, IMAGES)
        for first in range(0, IMAGES, self.batch):
            self.learn(images[first : first + self.batch])
        likely = [(self.likely(image), digit) for image, digit in HELD_OUT]
        right = sum(max(range(CLASSES), key=p.__getitem__) == digit for p, digit in likely)
        loss = sum(-math.log(max(p[digit], 1e-12)) for p, digit in likely)
        return {"accuracy": right / len(HELD_OUT), "loss": loss / len(HELD_OUT)}

    def save(self, directory):
        state = {"weights": self.weights, "speed": self.speed, "dice": self.dice.getstate()}
        Path(directory, "digits.json").write_text(json.dumps(state))

    def load(self, directory):
        state = json.loads(Path(directory, "digits.json").read_text())
        version, numbers, gauss = state["dice"]
        self.weights, self.speed = state["weights"], state["speed"]
        self.dice.setstate((version, tuple(numbers), gauss))


if __name__ == "__main__":
    serve(Digits)
