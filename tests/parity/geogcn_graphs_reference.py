"""Geo-GCN on many small graphs in NumPy, written from the paper and its public code (Danel et al. 2020), not from the C sources.

Layers as in geogcn_reference.py, all with relu, on the graphs of a collection one beside the other. After each layer, with pooling: pairs of
neighbours are merged (those with the largest |p_i - p_j| (1/deg i + 1/deg j), nodes in ascending order), features by the larger, positions by
the mean, edges united. Then the mean over each graph's nodes, a linear map, and the mean cross entropy over the training graphs.
Run as a program it checks its own gradients by finite differences.
"""
import itertools
import sys

import numpy as np
import scipy.sparse as sp

import training
from geogcn_reference import Edges, layer_backward, layer_forward, mean_edge, random_params


def match(positions, source, target):
    """The cluster of each node: its number, in the order of the clusters' first nodes. Edges stand in both directions."""
    n = len(positions)
    degree = np.bincount(source, minlength=n)
    length = np.linalg.norm(positions[source] - positions[target], axis=1)
    value = length * (1 / degree[source] + 1 / degree[target])
    cluster, n_clusters = np.full(n, -1), 0
    order = np.lexsort((target, -value, source))  # of each node the best neighbour first, the lowest of equals
    starts = np.searchsorted(source[order], np.arange(n + 1))
    for i in range(n):
        if cluster[i] >= 0:
            continue
        cluster[i] = n_clusters
        for e in order[starts[i] : starts[i + 1]]:
            if cluster[target[e]] < 0:
                cluster[target[e]] = n_clusters
                break
        n_clusters += 1
    return cluster


class Collection:
    """Graphs of the arrays of an npz file, one beside the other. levels[k] are the edges after k coarsenings, clusters[k] lead from k to k + 1."""

    def __init__(self, arrays, normalization, normalize_positions, coarsenings):
        sizes = np.diff(arrays["node_ptr"])
        offsets = np.repeat(arrays["node_ptr"][:-1], np.diff(arrays["edge_ptr"]))
        source, target = arrays["edge_index"].astype(np.int64) + offsets
        positions = arrays["pos"].astype(np.float64)
        if normalize_positions == "mean_edge":
            positions = positions / mean_edge(positions, source, target)
        graph = np.repeat(np.arange(len(sizes)), sizes)
        self.x, self.labels, self.train = arrays["x"].astype(np.float64), arrays["y"], arrays["train_idx"]
        self.levels, self.clusters = [Edges(positions, source, target, normalization)], []
        for _ in range(coarsenings):
            cluster = match(positions, source, target)
            members = np.bincount(cluster)
            positions = np.stack([np.bincount(cluster, p) / members for p in positions.T], axis=1)
            graph = graph[np.unique(cluster, return_index=True)[1]]
            pairs = np.unique(np.stack([cluster[source], cluster[target]]), axis=1)
            source, target = pairs[:, pairs[0] != pairs[1]]
            self.clusters.append(cluster)
            self.levels.append(Edges(positions, source, target, normalization))
        self.mean = sp.csr_matrix((1 / np.bincount(graph)[graph], (graph, np.arange(len(graph)))))


def pool(h, cluster):
    """(the largest of each cluster, which node it is of)"""
    pooled = np.full((cluster.max() + 1, h.shape[1]), -np.inf)
    np.maximum.at(pooled, cluster, h)
    chosen = np.zeros(pooled.shape, dtype=int)
    for i in range(len(h) - 1, -1, -1):
        chosen[cluster[i]] = np.where(h[i] == pooled[cluster[i]], i, chosen[cluster[i]])
    return pooled, chosen


def gradients(data, params):
    """(loss, the graphs' means and the logits, gradients in the shape of params)"""
    h, kept = data.x, []
    for layer, p in enumerate(params[:-1]):
        pooled = layer < len(data.clusters)
        edges = data.levels[layer if data.clusters else 0]
        a, z = layer_forward(edges, p, h)
        out = np.maximum(z, 0)
        kept.append((edges, h, a, out))
        h = out
        if pooled:
            h, chosen = pool(out, data.clusters[layer])
            kept[-1] += (chosen,)
    means = data.mean @ h
    logits = means @ params[-1]["weight"] + params[-1]["bias"]
    loss, d = training.loss_of(data.labels, data.train, logits)
    grads = [{"weight": means.T @ d, "bias": d.sum(axis=0)}]
    d = data.mean.T @ (d @ params[-1]["weight"].T)
    for p, (edges, x, a, out, *chosen) in zip(params[-2::-1], kept[::-1]):
        if chosen:
            d_out = np.zeros_like(out)
            np.add.at(d_out, (chosen[0], np.arange(out.shape[1])), d)
            d = d_out
        g, d = layer_backward(edges, p, x, a, d * (out > 0))
        grads.append(g)
    return loss, [means, logits], grads[::-1]


def adam(data, params, steps, learning_rate, weight_decay):
    return training.adam(gradients, data, params, steps, learning_rate, weight_decay)


def random_collection(n_graphs, most, width, classes, dims, seed):
    """Graphs of 1 to `most` nodes as the arrays of an npz file; some have no edges."""
    rng = np.random.default_rng(seed)
    node_ptr, edge_ptr, edges = [0], [0], []
    for _ in range(n_graphs):
        n = int(rng.integers(1, most + 1))
        upper = np.triu(rng.random((n, n)) < rng.choice([0, 0.2, 0.5]), 1)
        edges.append(np.stack(np.nonzero(upper | upper.T)))
        node_ptr.append(node_ptr[-1] + n)
        edge_ptr.append(edge_ptr[-1] + edges[-1].shape[1])
    numbers = rng.permutation(n_graphs)
    half, rest = n_graphs // 2, 3 * n_graphs // 4
    return {
        "node_ptr": np.array(node_ptr), "edge_ptr": np.array(edge_ptr), "edge_index": np.concatenate(edges, axis=1).astype(np.int32),
        "x": rng.standard_normal((node_ptr[-1], width)).astype(np.float32), "pos": rng.random((node_ptr[-1], dims)).astype(np.float32),
        "y": rng.integers(0, classes, n_graphs), "train_idx": np.sort(numbers[:half]), "val_idx": np.sort(numbers[half:rest]),
        "test_idx": np.sort(numbers[rest:]),
    }


def main():
    checks = bad = 0
    for coarsenings, dims, shared, seed in itertools.product((0, 2), (2, 3), (False, True), range(2)):
        data = Collection(random_collection(6, 7, 2, 3, dims, seed), "sum", "mean_edge", coarsenings)
        params = random_params([2, 3, 3], dims, 4, shared, seed)
        rng = np.random.default_rng(seed)
        params.append({"weight": rng.standard_normal((3, 3)), "bias": rng.standard_normal(3)})
        worst = training.worst_gradient(gradients, data, params)
        checks += 1
        if worst > 1e-6:
            bad += 1
            print(f"geogcn_graphs_reference: {coarsenings} coarsenings, {dims}-D, shared {shared}, seed {seed}: gradient off by {worst:.2g}")
    print(f"geogcn_graphs_reference: {checks - bad} passed, {bad} failed")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
