"""What the comparisons share: running the program, reading what it wrote, and judging differences."""
import json
import os
import subprocess
import sys

import h5py
import numpy as np

TOLERANCE = 1e-8  # what is asked of it is 1e-5; a float64 build is far better, and 1e-5 would hide a wrong bias
FLOAT32 = 1e-6  # predictions are written in single precision
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def run(*command):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300)
    if done.returncode != 0:
        sys.exit(f"parity: {' '.join(command)}: exit status {done.returncode}\n{done.stdout}")


class Halognn:
    """The program with one graph. `dataset` and `model` are what stands in these groups of the config, as text."""

    def __init__(self, program, npz, folder, dataset, model):
        self.program, self.folder, self.graph = os.path.abspath(program), folder, os.path.join(folder, "graph.hg")
        run(self.program, "import", "npz", npz, "-o", self.graph)
        self.config = os.path.join(folder, "parity.yaml")
        with open(self.config, "w") as f:
            f.write(
                f"name: parity\nseed: 7\ndataset: {{path: '{self.graph}', {dataset}}}\nmodel: {{dropout: 0, {model}}}\n"
                "train: {checkpoint_every: 1, keep_checkpoints: 1, evaluate_every: 1}\n"
            )

    def train(self, name, ranks, *settings):
        """Trains; returns the run's folder."""
        output = os.path.join(self.folder, name)
        words = [word for setting in settings for word in ("--set", setting)]
        launcher = [os.path.join(ROOT, "scripts", "mpirun.sh"), "-n", str(ranks)] if ranks > 1 else []
        run(*launcher, self.program, "train", self.config, "--quiet", "--output", output, *words)
        return output

    def predict(self, output):
        """(probabilities, embeddings) of all nodes, in the order of the npz file."""
        path = os.path.join(output, "predictions.npz")
        run(self.program, "predict", output, "-o", path)
        with np.load(path) as f:
            order = np.argsort(f["original_ids"], kind="stable")
            return f["probabilities"][order], f["embeddings"][order]


def checkpoint(output, epoch):
    """(parameters, the optimiser's first moments): a dict {"weight": array, ...} for each layer; biases have one dimension."""
    with h5py.File(os.path.join(output, "checkpoints", f"repeat_0_epoch_{epoch}.h5")) as f:
        flat, moments = f["parameters"][()], f["moments"][()]
        model = json.loads(f.attrs["model"])
    if flat.dtype != np.float64:
        sys.exit(f"parity: the checkpoint holds {flat.dtype}: this needs the float64 build")

    def layers(values):
        found, at = [], 0
        for p in model["parameters"]:
            _, layer, name = p["name"].split(".", 2)
            if int(layer) == len(found):
                found.append({})
            n = p["rows"] * p["cols"]
            array = values[at : at + n].reshape(p["rows"], p["cols"])
            found[int(layer)][name] = array.ravel() if name.endswith("bias") else array
            at += n
        return found

    return layers(flat), layers(moments[: len(flat)])


def losses(output):
    with open(os.path.join(output, "metrics.jsonl")) as f:
        return np.array([json.loads(line)["train_loss"] for line in f])


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


class Checks:
    def __init__(self):
        self.passed = self.failed = 0
        self.worst = 0.0

    def close(self, what, found, expected, tolerance=TOLERANCE):
        found, expected = np.asarray(found), np.asarray(expected)
        if found.shape != expected.shape:
            difference = np.inf
        else:
            difference = np.abs(found - expected).max() / max(np.abs(expected).max(), 1e-300)
        if tolerance < FLOAT32:
            self.worst = max(self.worst, difference)
        if difference <= tolerance:
            self.passed += 1
        else:
            self.failed += 1
            print(f"parity: {what}: relative difference {difference:.3g}, allowed {tolerance:g}; shapes {found.shape} {expected.shape}")

    def close_layers(self, what, found, expected):
        for layer, (arrays, wanted) in enumerate(zip(found, expected)):
            for name in wanted:
                self.close(f"{what}: {name} of layer {layer}", arrays[name], wanted[name])

    def report(self, name):
        """Prints what came out; returns the exit status."""
        print(f"{name}: largest relative difference {self.worst:.2g}")
        print(f"{name}: {self.passed} passed, {self.failed} failed")
        return 1 if self.failed else 0


def compare(halognn, reference, data, checks, label, ranks, steps, settings, weight_decay=0.0):
    """From the same initial weights: the first loss, all gradients, the outputs of the last two layers, then the loss of each of `steps`
    Adam steps and the weights after them. Every difference is relative to the largest element of its array."""
    label = f"{label}, {ranks} ranks"
    name = label.replace(" ", "_").replace(",", "").replace("/", "_")
    # A step of plain gradient descent, so short that no bit of a weight changes but of those that are 0: the momentum then is the gradient.
    still = halognn.train(f"still_{name}", ranks, *settings, "train.epochs=1", "train.optimizer=sgd", "train.momentum=0",
                          "train.learning_rate=1e-300", "train.weight_decay=0")
    start, found = checkpoint(still, 1)
    for arrays in start:
        for array in arrays.values():
            array[np.abs(array) < 1e-290] = 0
    loss, outputs, grads = reference.gradients(data, start)
    checks.close(f"{label}: first loss", losses(still), [loss])
    probabilities, embeddings = halognn.predict(still)
    checks.close(f"{label}: probabilities", probabilities, softmax(outputs[-1]), FLOAT32)
    checks.close(f"{label}: embeddings", embeddings, outputs[-2], FLOAT32)
    checks.close_layers(f"{label}: gradient", found, grads)

    trained = halognn.train(f"adam_{name}", ranks, *settings, f"train.epochs={steps}", "train.optimizer=adam",
                            "train.learning_rate=0.01", f"train.weight_decay={weight_decay}", "train.weight_decay_layers=first")
    expected, curve = reference.adam(data, start, steps, learning_rate=0.01, weight_decay=weight_decay)
    checks.close(f"{label}: losses of {steps} steps", losses(trained), curve)
    checks.close_layers(f"{label}: after {steps} steps", checkpoint(trained, steps)[0], expected)
