#!/usr/bin/env python3
"""The GCN of a config in plain PyTorch: what HaloGNN's epochs are compared with (scripts/bench_all.sh).

    halognn config configs/arxiv_like_gcn.yaml >resolved.yaml
    bench/peers/gcn_torch.py resolved.yaml [--threads T] [--epochs N] [--seconds S] [--weights FILE.safetensors] [--cached]

Debian's python3-torch, python3-h5py and python3-yaml are all it needs. It reads the same .hg file as `halognn train` and prints one JSON
object: seconds of an epoch (median and least after the warm-up), the losses of all epochs, the peak resident memory. An epoch is
forward pass, loss, backward pass and optimiser step, as in epoch_seconds_median of a run's summary.

The formulation is the fastest one that plain PyTorch has: the normalised adjacency is made once, as a CSR matrix with weights and self-loops
(and its transpose, where it is not symmetric); the narrower side of a layer is aggregated; the layer's input gradient is not computed where
nobody needs it. --cached aggregates constant input features only once, which needs model.input_dropout 0.

With --weights (from `halognn export`) it begins with these, else with Glorot's of its own. The learning rate is constant.
"""

import argparse
import json
import resource
import struct
import sys
import time
import warnings

try:
    import h5py
    import numpy
    import torch
    import yaml
    from torch.nn import functional
except ImportError as error:
    sys.exit(f"gcn_torch: error: {error.name} is missing; as root: apt-get install python3-torch python3-h5py python3-yaml")

UNSUPPORTED = {  # keys that would change the model, and the values that are understood here
    "type": {"gcn"}, "activation": {"relu"}, "norm": {"none", "batch", "layer"}, "normalization": {"symmetric", "row"},
    "residual": {False}, "self_loops": {True}, "bias": {True}}


def read_config(path):
    with open(path, encoding="utf-8") as file:
        config = yaml.safe_load(file)
    for key, known in UNSUPPORTED.items():
        if config["model"][key] not in known:
            sys.exit(f"gcn_torch: error: {path}: model.{key}: found {config['model'][key]}, which this script does not know")
    if config["train"]["optimizer"] != "adam" or config["dataset"]["normalize_features"] not in ("none", "row"):
        sys.exit(f"gcn_torch: error: {path}: expected train.optimizer adam and dataset.normalize_features none or row")
    return config


def read_features(file, normalize):
    features = file["features"]
    if isinstance(features, h5py.Dataset):
        x = torch.from_numpy(features[:])
    else:  # stored sparse; PyTorch's dense product is the faster one at these densities
        indptr, indices = features["indptr"][:], features["indices"][:]
        x = torch.zeros(len(indptr) - 1, int(features.attrs.get("width", indices.max() + 1)))
        rows = numpy.repeat(numpy.arange(len(indptr) - 1), numpy.diff(indptr))
        x[torch.from_numpy(rows), torch.from_numpy(indices).long()] = torch.from_numpy(features["values"][:]).float()
    if normalize == "row":
        total = x.sum(1, keepdim=True)
        x /= torch.where(total == 0, torch.ones_like(total), total)
    return x


def csr(indptr, indices, values, n):
    return torch.sparse_csr_tensor(torch.from_numpy(indptr), torch.from_numpy(indices), torch.from_numpy(values), (n, n))


def read_adjacency(file, normalization):
    """D^-1/2 (A + I) D^-1/2 or D^-1 (A + I), and its transpose, as CSR matrices with self-loops in their places."""
    from scipy import sparse
    indptr, indices = file["csr/indptr"][:], file["csr/indices"][:]
    n = len(indptr) - 1
    a = sparse.csr_matrix((numpy.ones(len(indices), numpy.float32), indices, indptr), shape=(n, n))
    symmetric = bool((abs(a - a.T)).nnz == 0)
    a = a + sparse.identity(n, dtype=numpy.float32, format="csr")
    degree = numpy.asarray(a.sum(1)).ravel().astype(numpy.float64)
    if normalization == "symmetric":
        scale = sparse.diags((1 / numpy.sqrt(degree)).astype(numpy.float32))
        a = (scale @ a @ scale).tocsr()
    else:
        a = (sparse.diags((1 / degree).astype(numpy.float32)) @ a).tocsr()
        symmetric = False
    a.sort_indices()
    forward = csr(a.indptr.astype(numpy.int32), a.indices.astype(numpy.int32), a.data, n)
    if symmetric:
        return forward, forward
    t = a.T.tocsr()
    t.sort_indices()
    return forward, csr(t.indptr.astype(numpy.int32), t.indices.astype(numpy.int32), t.data, n)


class Aggregate(torch.autograd.Function):
    """y = A x, whose gradient is A' d_y with a transpose that is made once."""

    @staticmethod
    def forward(context, x, adjacency, transposed):
        context.transposed = transposed
        return adjacency @ x

    @staticmethod
    def backward(context, gradient):
        return context.transposed @ gradient, None, None


class Gcn(torch.nn.Module):
    def __init__(self, config, width, classes, adjacency, cached):
        super().__init__()
        model = config["model"]
        layers = model["layers"]
        widths = [width] + [model["hidden"]] * (layers - 1) + [classes]
        self.adjacency, self.cached = adjacency, cached
        self.rates = [model["input_dropout"]] + [model["dropout"]] * (layers - 1)
        self.weights, self.biases = torch.nn.ParameterList(), torch.nn.ParameterList()
        self.norms = torch.nn.ModuleList()
        for f_in, f_out in zip(widths, widths[1:]):
            last = len(self.weights) == layers - 1
            self.weights.append(torch.nn.init.xavier_uniform_(torch.empty(f_in, f_out)))
            batch_norm = model["norm"] == "batch" and not last  # it has a bias of its own
            self.biases.append(torch.nn.Parameter(torch.zeros(f_out), requires_grad=not batch_norm))
            if not last and model["norm"] != "none":
                self.norms.append({"batch": torch.nn.BatchNorm1d, "layer": torch.nn.LayerNorm}[model["norm"]](f_out))

    def forward(self, x):
        for layer, weight in enumerate(self.weights):
            x = functional.dropout(x, self.rates[layer], self.training)
            if layer == 0 and self.cached:
                x = x @ weight
            elif weight.shape[1] <= weight.shape[0]:
                x = Aggregate.apply(x @ weight, *self.adjacency)
            else:
                x = Aggregate.apply(x, *self.adjacency) @ weight
            x = x + self.biases[layer] if self.biases[layer].requires_grad else x
            if layer < len(self.norms):
                x = self.norms[layer](x)
            if layer < len(self.weights) - 1:
                x = functional.relu(x)
        return x

    def load(self, tensors):
        with torch.no_grad():
            for layer, weight in enumerate(self.weights):
                weight.copy_(tensors[f"layers.{layer}.weight"])
                if f"layers.{layer}.bias" in tensors:
                    self.biases[layer].copy_(tensors[f"layers.{layer}.bias"].reshape(-1))
                if layer < len(self.norms):
                    self.norms[layer].weight.copy_(tensors[f"layers.{layer}.norm.weight"].reshape(-1))
                    self.norms[layer].bias.copy_(tensors[f"layers.{layer}.norm.bias"].reshape(-1))


def read_safetensors(path):
    with open(path, "rb") as file:
        (size,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(size))
        data = file.read()
    header.pop("__metadata__", None)
    types = {"F32": numpy.float32, "F64": numpy.float64}
    return {name: torch.from_numpy(numpy.frombuffer(data[entry["data_offsets"][0]:entry["data_offsets"][1]],
                                                    types[entry["dtype"]]).reshape(entry["shape"]).copy()).float()
            for name, entry in header.items()}


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", help="a resolved config: the output of `halognn config`")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=10, help="at least so many, the warm-up among them (default: 10)")
    parser.add_argument("--seconds", type=float, default=0, help="go on until so many have passed (default: 0)")
    parser.add_argument("--warm-up", type=int, default=2, help="epochs whose times do not count (default: 2)")
    parser.add_argument("--weights", help="begin with the weights of this safetensors file")
    parser.add_argument("--cached", action="store_true", help="aggregate the input features once")
    return parser.parse_args()


def build(arguments, config):
    with h5py.File(config["dataset"]["path"], "r") as file:
        x = read_features(file, config["dataset"]["normalize_features"])
        labels = torch.from_numpy(file["labels"][:]).long()
        rows = torch.from_numpy(file["split/train"][:]).long()
        adjacency = read_adjacency(file, config["model"]["normalization"])
    if arguments.cached:
        if config["model"]["input_dropout"] > 0:
            sys.exit("gcn_torch: error: --cached: the features change in every epoch, since model.input_dropout is not 0")
        x = adjacency[0] @ x
    model = Gcn(config, x.shape[1], int(labels.max()) + 1, adjacency, arguments.cached)
    if arguments.weights:
        model.load(read_safetensors(arguments.weights))
    rows = rows[labels[rows] >= 0]
    return model, x, labels[rows], rows


def main():
    arguments = parse()
    warnings.filterwarnings("ignore", message="Sparse CSR tensor support")
    torch.set_num_threads(arguments.threads)
    config = read_config(arguments.config)
    torch.manual_seed(config["seed"])
    model, x, labels, rows = build(arguments, config)
    train = config["train"]
    first = [model.weights[0], model.biases[0], *(model.norms[0].parameters() if model.norms else ())]
    others = [p for p in model.parameters() if p.requires_grad and not any(p is f for f in first)]
    decay = train["weight_decay"]
    groups = [{"params": [p for p in first if p.requires_grad], "weight_decay": decay},
              {"params": others, "weight_decay": decay if train["weight_decay_layers"] == "all" else 0}]
    optimizer = torch.optim.Adam([g for g in groups if g["params"]], lr=train["learning_rate"],
                                 betas=(train["beta1"], train["beta2"]), eps=train["epsilon"])
    losses, seconds = [], []
    begin = time.perf_counter()
    while len(losses) < arguments.epochs or time.perf_counter() - begin < arguments.seconds:
        start = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        loss = functional.cross_entropy(model(x)[rows], labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        seconds.append(time.perf_counter() - start)
    timed = sorted(seconds[arguments.warm_up:]) or sorted(seconds)
    json.dump({"epoch_seconds_median": timed[len(timed) // 2], "epoch_seconds_min": timed[0], "epochs": len(losses),
               "threads": torch.get_num_threads(), "torch": torch.__version__,
               "peak_rss_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024, "losses": losses}, sys.stdout)
    print()


main()
