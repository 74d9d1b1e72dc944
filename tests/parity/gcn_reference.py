"""A graph convolutional network in NumPy, written from the paper (Kipf and Welling 2017) and not from the C sources.

    H_0 = X with rows that sum to 1
    H_l = relu(A H_(l-1) W_l + b_l), the last layer without relu,   A = D^-1/2 (S + I) D^-1/2
    loss = mean cross entropy over the training nodes

Run as a program it checks its own gradients by finite differences.
"""
import sys

import numpy as np
import scipy.sparse as sp

import training


class Data:
    """A graph in the gnn-benchmark npz layout: normalised adjacency, scaled features, labels, training nodes."""

    def __init__(self, path):
        with np.load(path, allow_pickle=False) as f:
            s = sp.csr_matrix((np.ones(len(f["adj_indices"])), f["adj_indices"], f["adj_indptr"]), shape=tuple(f["adj_shape"]))
            x = sp.csr_matrix((f["attr_data"].astype(np.float64), f["attr_indices"], f["attr_indptr"]), shape=tuple(f["attr_shape"]))
            self.labels, self.train = f["labels"], f["train_idx"]
        s = s.maximum(s.T)
        s = s - sp.diags(s.diagonal())
        s.eliminate_zeros()
        s = s + sp.identity(s.shape[0])
        scale = sp.diags(1 / np.sqrt(np.asarray(s.sum(axis=1)).ravel()))
        self.a = (scale @ s @ scale).tocsr()
        sums = np.asarray(x.sum(axis=1)).ravel()
        x = (sp.diags(1 / np.where(sums > 0, sums, 1)) @ x).tocsr()
        self.x = x.astype(np.float32).astype(np.float64)  # a graph's features are single precision in every build
        self.classes = int(self.labels.max()) + 1


def forward(data, params):
    """Outputs of all layers, features first. params: [{"weight": f_in x f_out, "bias": f_out}, ...]"""
    outputs = [data.x]
    for layer, p in enumerate(params):
        z = np.asarray(data.a @ (outputs[-1] @ p["weight"])) + p["bias"]
        outputs.append(np.maximum(z, 0) if layer + 1 < len(params) else z)
    return outputs


def gradients(data, params):
    """(loss, outputs of all layers, gradients in the shape of params)"""
    outputs = forward(data, params)
    loss, d = training.loss_of(data.labels, data.train, outputs[-1])
    grads = []
    for layer in reversed(range(len(params))):
        if layer + 1 < len(params):
            d = d * (outputs[layer + 1] > 0)
        back = data.a.T @ d
        grads.append({"weight": np.asarray(outputs[layer].T @ back), "bias": d.sum(axis=0)})
        d = back @ params[layer]["weight"].T
    return loss, outputs, grads[::-1]


def adam(data, params, steps, learning_rate, weight_decay):
    return training.adam(gradients, data, params, steps, learning_rate, weight_decay)


def glorot(widths, seed):
    """Parameters for layers widths[0] -> widths[1] -> ..., with biases that are not zero."""
    rng = np.random.default_rng(seed)
    pairs = zip(widths[:-1], widths[1:])
    return [{"weight": rng.uniform(-1, 1, (a, b)) * np.sqrt(6 / (a + b)), "bias": 0.1 * rng.standard_normal(b)} for a, b in pairs]


def small_graph(seed):
    """A random graph of 12 nodes with features, for the check of this file by itself."""
    rng = np.random.default_rng(seed)
    data = Data.__new__(Data)
    s = np.triu(rng.random((12, 12)) < 0.3, 1)
    s = s + s.T + np.eye(12)
    d = 1 / np.sqrt(s.sum(axis=1))
    data.a = sp.csr_matrix(d[:, None] * s * d)
    data.x = sp.csr_matrix(rng.random((12, 5)))
    data.labels, data.train, data.classes = rng.integers(0, 3, 12), np.array([0, 2, 3, 7, 11]), 3
    return data


def check_gradients(layers, seed):
    data = small_graph(seed)
    return training.worst_gradient(gradients, data, glorot([5] + [4] * (layers - 1) + [data.classes], seed))


def main():
    bad = 0
    for layers in (1, 2, 3):
        for seed in range(5):
            worst = check_gradients(layers, seed)
            if worst > 1e-6:
                print(f"gcn_reference: {layers} layers, seed {seed}: gradient off by {worst:.2g}")
                bad += 1
    print(f"gcn_reference: {15 - bad} passed, {bad} failed")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
