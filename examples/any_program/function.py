"""A function of a configuration that reports: nothing else of tryout is in it."""

from tryout_worker import report


def train(config):
    x = config["start"]
    for _ in range(20):
        x -= config["rate"] * 2 * x
        report(loss=x**2)
