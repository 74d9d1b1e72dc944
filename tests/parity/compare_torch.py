"""compare_torch.py HALOGNN CORA.npz: bench/peers/gcn_torch.py, whose speed is compared with ours, trains the same model: from the same
weights its losses follow those of the float64 build. Without dropout, since its masks are others; PyTorch computes in single precision."""
import json
import os
import subprocess
import sys
import tempfile

import numpy as np
from halognn import ROOT, Checks, Halognn, losses, run

PEER = os.path.join(ROOT, "bench", "peers", "gcn_torch.py")
EPOCHS = 20
CLOSE = 1e-4
VARIANTS = {
    "two layers": [],
    "three layers, row": ["model.layers=3", "model.normalization=row"],
    "layer norm": ["model.layers=3", "model.norm=layer", "train.weight_decay_layers=all"],
    "batch norm": ["model.layers=3", "model.norm=batch"],
}


def peer_losses(halognn, settings, weights, words):
    """What the peer prints for the resolved config and these weights."""
    sets = [word for setting in settings for word in ("--set", setting)]
    resolved = os.path.join(halognn.folder, "resolved.yaml")
    with open(resolved, "w") as f:
        subprocess.run([halognn.program, "config", halognn.config, *sets], stdout=f, check=True, timeout=60)
    done = subprocess.run([sys.executable, PEER, resolved, "--epochs", str(EPOCHS), "--weights", weights, *words],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
    if done.returncode != 0:
        sys.exit(f"parity: {PEER}: exit status {done.returncode}\n{done.stderr}")
    return json.loads(done.stdout)["losses"]


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    try:
        import torch  # noqa: F401
        import yaml  # noqa: F401
    except ImportError as error:
        print(f"compare_torch: skipped: {error.name} is missing (apt-get install python3-torch python3-yaml)")
        return 0
    checks, worst = Checks(), 0.0
    with tempfile.TemporaryDirectory() as folder:
        halognn = Halognn(sys.argv[1], sys.argv[2], folder, "normalize_features: row", "type: gcn, hidden: 16, input_dropout: 0")
        for label, changes in VARIANTS.items():
            settings = [*changes, "train.optimizer=adam", "train.learning_rate=0.01", "train.weight_decay=5e-4"]
            name = label.replace(" ", "_").replace(",", "")
            # One step that changes no weight: its checkpoint holds those that training begins with.
            still = halognn.train(f"still_{name}", 1, *changes, "train.epochs=1", "train.optimizer=sgd", "train.momentum=0",
                                  "train.learning_rate=1e-300", "train.weight_decay=0")
            weights = os.path.join(folder, f"{name}.safetensors")
            run(halognn.program, "export", still, "-o", weights)
            ours = losses(halognn.train(name, 1, *settings, f"train.epochs={EPOCHS}"))
            for words in ([], ["--cached"]) if not changes else ([],):
                peer = np.array(peer_losses(halognn, settings, weights, words))
                worst = max(worst, np.abs(peer / ours - 1).max())
                checks.close(" ".join([label, *words]), peer, ours, CLOSE)
    print(f"compare_torch: {checks.passed} passed, {checks.failed} failed; losses differ by {worst:.2g} of themselves at most")
    return 1 if checks.failed else 0


if __name__ == "__main__":
    sys.exit(main())
