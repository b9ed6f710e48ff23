import json, math, os, sys, time
from tryout_worker import Trainable

HOSTILE = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script> \x1b[31mred\x1b[0m \x1b]0;owned\x07 \u202eevil " + "long" * 500

class Work(Trainable):
    def setup(self, config):
        self.config, self.at = config, 0

    def step(self):
        time.sleep(self.config.get("wait", 0))
        self.at += 1
        lr, depth = self.config.get("lr", 0.01), self.config.get("model", {}).get("depth", 4)
        if self.config.get("hostile"):
            print(HOSTILE, flush=True)
            if self.at > 3 and lr > 0.003:
                raise ValueError(HOSTILE)
        if self.at > self.config.get("breaks", 1 << 60):
            raise ValueError("the worker breaks, as it was told to")
        floor = 0.08 + 0.2 * abs(math.log10(lr) + 2.5) + 0.03 * abs(depth - 5) + (0 if self.config.get("act") == "gelu" else 0.05)
        loss = floor + 1.5 * math.exp(-self.at / 6)
        print(f"step {self.at}: loss {loss:.4f}", flush=True)
        return {"loss": loss, "accuracy": 1 - loss / 3, "cost": depth * 1.5 + 1 / (1 + lr)} | ({"<b>bold</b>": 1.0} if self.config.get("hostile") else {})

    def save(self, directory):
        with open(os.path.join(directory, "at.json"), "w") as file:
            json.dump(self.at, file)

    def load(self, directory):
        with open(os.path.join(directory, "at.json")) as file:
            self.at = json.load(file)
