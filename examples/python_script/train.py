"""Trains a small neural network on Fisher's irises, or on tumours where scikit-learn is installed: a worker of tryout."""

import csv
import json
import math
import random
from pathlib import Path

from tryout_worker import Trainable, serve


def load():
    """Rows of measurements, each with its class, in an order that every trial sees."""
    try:
        from sklearn.datasets import load_breast_cancer

        data = load_breast_cancer()
        rows = list(zip(data.data.tolist(), data.target.tolist()))
    except ImportError:
        with open(Path(__file__).with_name("iris.csv"), newline="") as file:
            flowers = list(csv.reader(file))[1:]
        names = sorted({flower[-1] for flower in flowers})
        rows = [([float(value) for value in flower[:-1]], names.index(flower[-1])) for flower in flowers]
    random.Random(1936).shuffle(rows)
    columns = list(zip(*(row for row, _ in rows)))
    means = [sum(column) / len(column) for column in columns]
    spreads = [math.sqrt(sum((v - m) ** 2 for v in c) / len(c)) or 1.0 for c, m in zip(columns, means)]
    return [([(v - m) / s for v, m, s in zip(row, means, spreads)], kind) for row, kind in rows]


# Once for all trials of this process: it goes on from one to the next.
DATA = load()
TRAIN, HELD_OUT = DATA[len(DATA) // 4 :], DATA[: len(DATA) // 4]
CLASSES = max(kind for _, kind in DATA) + 1


def matrix(height, width, dice):
    return [[dice.gauss(0, 1 / math.sqrt(width)) for _ in range(width)] for _ in range(height)]


class Net(Trainable):
    """One hidden layer, stochastic gradient descent: an epoch is a step."""

    def setup(self, config):
        self.rate, self.decay = config["lr"], config["weight_decay"]
        self.dice = random.Random(self.trial.seed)
        inputs, hidden = len(DATA[0][0]) + 1, config["hidden"]
        self.layers = [matrix(hidden, inputs, self.dice), matrix(CLASSES, hidden + 1, self.dice)]

    def forward(self, row):
        """What the hidden layer says, and how likely each class is; the last input of a layer is always 1."""
        inner = [math.tanh(sum(map(float.__mul__, weights, row))) for weights in self.layers[0]] + [1.0]
        outer = [sum(map(float.__mul__, weights, inner)) for weights in self.layers[1]]
        powers = [math.exp(value - max(outer)) for value in outer]
        return inner, [power / sum(powers) for power in powers]

    def learn(self, row, kind):
        inner, likely = self.forward(row)
        blame = [p - (c == kind) for c, p in enumerate(likely)]
        back = [sum(b * w[h] for b, w in zip(blame, self.layers[1])) * (1 - v * v) for h, v in enumerate(inner[:-1])]
        for layer, slopes, values in [(self.layers[1], blame, inner), (self.layers[0], back, row)]:
            for weights, slope in zip(layer, slopes):
                weights[:] = [w - self.rate * (slope * v + self.decay * w) for w, v in zip(weights, values)]

    def step(self):
        for row, kind in self.dice.sample(TRAIN, len(TRAIN)):
            self.learn(row + [1.0], kind)
        likely = [(self.forward(row + [1.0])[1], kind) for row, kind in HELD_OUT]
        right = sum(max(range(CLASSES), key=p.__getitem__) == kind for p, kind in likely)
        loss = sum(-math.log(max(p[kind], 1e-12)) for p, kind in likely)
        return {"loss": loss / len(HELD_OUT), "accuracy": right / len(HELD_OUT)}

    def save(self, directory):
        Path(directory, "net.json").write_text(json.dumps({"layers": self.layers, "dice": self.dice.getstate()}))

    def load(self, directory):
        saved = json.loads(Path(directory, "net.json").read_text())
        version, state, gauss = saved["dice"]
        self.layers = saved["layers"]
        self.dice.setstate((version, tuple(state), gauss))


if __name__ == "__main__":
    serve(Net)
