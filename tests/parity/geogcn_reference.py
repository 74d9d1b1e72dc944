"""Geo-GCN in NumPy, written from the paper (Danel et al. 2020, arXiv 1909.05310) and its public code, not from the C sources.

    a_i[c,k] = sum over edges j -> i, and j = i, of w_ij relu(u_ck (p_j - p_i) + b_ck) h_j[c]
    h'_i = relu(W a_i + bias), the last layer without relu; loss = mean cross entropy over the training nodes

w = 1 in the paper. Each channel c has filters of its own (u_ck, as in the public code), or all share them (u_k, the paper's first version).
What an edge carries is stored here, edges x channels x filters, which the program never does.
Run as a program it checks the sum against one written with loops, and its own gradients by finite differences.
"""
import itertools
import sys

import numpy as np
import scipy.sparse as sp

import training


class Data:
    """A graph in the gnn-benchmark npz layout with dense features and positions, which are divided by the mean length of an edge."""

    def __init__(self, path, normalization="sum", normalize_positions="mean_edge"):
        with np.load(path, allow_pickle=False) as f:
            n = int(f["adj_shape"][0])
            source = np.repeat(np.arange(n), np.diff(f["adj_indptr"]))
            target = f["adj_indices"].astype(np.int64)
            x, positions = f["attr_matrix"].astype(np.float64), f["pos"].astype(np.float64)
            self.labels, self.train = f["labels"], f["train_idx"]
        self.set_graph(x, positions, source, target, normalization, normalize_positions)

    def set_graph(self, x, positions, source, target, normalization, normalize_positions):
        if normalize_positions == "mean_edge":
            positions = positions / mean_edge(positions, source, target)
        self.x, self.positions = x, positions
        self.edges = Edges(positions, source, target, normalization)


def mean_edge(positions, source, target):
    """The mean length of an edge; 1 where that is 0."""
    lengths = np.linalg.norm(positions[source] - positions[target], axis=1)
    return lengths.mean() if lengths.sum() > 0 else 1.0


class Edges:
    """What a layer aggregates over: the edges j -> i with a self-loop at each node, their displacements and weights."""

    def __init__(self, positions, source, target, normalization):
        n = len(positions)
        source, target = np.append(source, np.arange(n)), np.append(target, np.arange(n))
        degree = np.bincount(target, minlength=n)
        weights = {
            "sum": np.ones(len(source)),
            "row": 1 / degree[target],
            "symmetric": 1 / np.sqrt(degree[target] * degree[source]),
        }
        self.source, self.target, self.w = source, target, weights[normalization]
        self.delta = positions[source] - positions[target]
        edges, ones = np.arange(len(source)), np.ones(len(source))
        self.to_target = sp.csr_matrix((ones, (target, edges)), shape=(n, len(source)))
        self.to_source = sp.csr_matrix((ones, (source, edges)), shape=(n, len(source)))


def scatter(incidence, values):
    """Sums what the edges carry at the nodes that `incidence` names."""
    return (incidence @ values.reshape(len(values), -1)).reshape(-1, *values.shape[1:])


def gates(edges, p, channels):
    """u delta + b of each edge, as edges x channels x filters, or edges x 1 x filters where the channels share them."""
    z = edges.delta @ p["gate.weight"].T + p["gate.bias"]
    filters = len(p["weight"]) // channels
    return z.reshape(len(z), -1, filters)


def layer_forward(edges, p, h):
    """(a, W a + bias)"""
    z = gates(edges, p, h.shape[1])
    messages = edges.w[:, None, None] * np.maximum(z, 0) * h[edges.source][:, :, None]
    a = scatter(edges.to_target, messages).reshape(len(h), -1)
    return a, a @ p["weight"] + p["bias"]


def layer_backward(edges, p, h, a, d):
    """(gradients of the parameters, gradient of h), d is that of W a + bias."""
    n, channels = h.shape
    z = gates(edges, p, channels)
    d_a = (d @ p["weight"].T).reshape(n, channels, -1)[edges.target] * edges.w[:, None, None]
    d_h = scatter(edges.to_source, (d_a * np.maximum(z, 0)).sum(axis=2))
    q = d_a * h[edges.source][:, :, None] * (z > 0)
    if z.shape[1] == 1:
        q = q.sum(axis=1)
    q = q.reshape(len(q), -1)
    return {"gate.weight": q.T @ edges.delta, "gate.bias": q.sum(axis=0), "weight": a.T @ d, "bias": d.sum(axis=0)}, d_h


def forward(data, params):
    """(outputs of all layers, features first; sums a of all layers)"""
    outputs, sums = [data.x], []
    for layer, p in enumerate(params):
        a, z = layer_forward(data.edges, p, outputs[-1])
        sums.append(a)
        outputs.append(np.maximum(z, 0) if layer + 1 < len(params) else z)
    return outputs, sums


def gradients(data, params):
    """(loss, outputs of all layers, gradients in the shape of params)"""
    outputs, sums = forward(data, params)
    loss, d = training.loss_of(data.labels, data.train, outputs[-1])
    grads = []
    for layer in reversed(range(len(params))):
        if layer + 1 < len(params):
            d = d * (outputs[layer + 1] > 0)
        g, d = layer_backward(data.edges, params[layer], outputs[layer], sums[layer], d)
        grads.append(g)
    return loss, outputs, grads[::-1]


def adam(data, params, steps, learning_rate, weight_decay):
    return training.adam(gradients, data, params, steps, learning_rate, weight_decay)


def random_params(widths, dims, filters, shared, seed):
    rng = np.random.default_rng(seed)
    params = []
    for a, b in zip(widths[:-1], widths[1:]):
        rows = filters if shared else a * filters
        params.append({
            "gate.weight": rng.standard_normal((rows, dims)),
            "gate.bias": rng.standard_normal(rows),
            "weight": rng.standard_normal((a * filters, b)) / np.sqrt(a * filters),
            "bias": 0.1 * rng.standard_normal(b),
        })
    return params


def random_graph(n, degree, width, classes, dims, seed):
    """A directed graph as the arrays of an npz file. A tenth of its nodes is isolated, some have the same place, some no label."""
    rng = np.random.default_rng(seed)
    connected = n * 9 // 10
    source, target = rng.integers(0, connected, (2, connected * degree))
    apart = source != target
    s = sp.csr_matrix((np.ones(apart.sum()), (source[apart], target[apart])), shape=(n, n))
    s.sort_indices()
    positions = rng.random((n, dims)).astype(np.float32)
    positions[1::7] = positions[0]
    labels = rng.integers(0, classes, n)
    labels[::9] = -1
    known = rng.permutation(np.flatnonzero(labels >= 0))
    third = len(known) // 3
    return {
        "adj_data": np.ones(s.nnz, np.float32), "adj_indices": s.indices.astype(np.int32), "adj_indptr": s.indptr.astype(np.int32),
        "adj_shape": np.array([n, n]), "attr_matrix": rng.standard_normal((n, width)).astype(np.float32), "pos": positions,
        "labels": labels, "train_idx": np.sort(known[:third]), "val_idx": np.sort(known[third : 2 * third]),
        "test_idx": np.sort(known[2 * third :]),
    }


def small_graph(dims, normalization, seed):
    rng = np.random.default_rng(seed)
    data = Data.__new__(Data)
    source, target = np.nonzero((rng.random((9, 9)) < 0.3) & ~np.eye(9, dtype=bool))
    positions = rng.standard_normal((9, dims))
    positions[3] = positions[4]
    data.set_graph(rng.standard_normal((9, 2)), positions, source, target, normalization, "mean_edge")
    data.labels, data.train = rng.integers(0, 3, 9), np.array([0, 2, 3, 7])
    return data


def sum_by_loops(data, p, h, shared):
    channels = h.shape[1]
    filters = len(p["weight"]) // channels
    a = np.zeros((len(h), channels * filters))
    for j, i, w in zip(data.edges.source, data.edges.target, data.edges.w):
        for c in range(channels):
            for k in range(filters):
                row = k if shared else c * filters + k
                gate = p["gate.bias"][row]
                for d in range(data.positions.shape[1]):
                    gate += p["gate.weight"][row, d] * (data.positions[j, d] - data.positions[i, d])
                a[i, c * filters + k] += w * max(gate, 0) * h[j, c]
    return a


def main():
    checks = bad = 0
    for layers, dims, shared, norm, seed in itertools.product((1, 2), (2, 3), (False, True), ("sum", "symmetric"), range(2)):
        data = small_graph(dims, norm, seed)
        params = random_params([2] + [3] * (layers - 1) + [3], dims, 4, shared, seed)
        off = np.abs(layer_forward(data.edges, params[0], data.x)[0] - sum_by_loops(data, params[0], data.x, shared)).max()
        worst = training.worst_gradient(gradients, data, params)
        checks += 2
        bad += (off > 1e-12) + (worst > 1e-6)
        if off > 1e-12 or worst > 1e-6:
            print(f"geogcn_reference: {layers} layers, {dims}-D, shared {shared}, {norm}, seed {seed}: sum off by {off:.2g}, gradient by {worst:.2g}")
    print(f"geogcn_reference: {checks - bad} passed, {bad} failed")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
