"""compare_geogcn.py HALOGNN [OPENFLIGHTS.npz]: trains with the float64 build on 1 and 3 ranks and compares with geogcn_reference.py and
geogcn_graphs_reference.py.

On random graphs in 2 and 3 dimensions, on the airports, 3-D, when their file is given, and on random collections of small graphs.
"""
import os
import sys
import tempfile

import numpy as np

import geogcn_graphs_reference as graphs_reference
import geogcn_reference as reference
from halognn import Checks, Halognn, compare

STEPS = 20
CASES = [  # dimensions, filters_per, normalization, normalize_positions, layers
    (2, "channel", "sum", "mean_edge", 2),
    (2, "shared", "symmetric", "mean_edge", 3),
    (3, "channel", "row", "none", 3),
    (3, "shared", "sum", "none", 2),
]
COLLECTIONS = [  # dimensions, filters_per, normalization, normalize_positions, pooling
    (2, "channel", "sum", "mean_edge", "none"),
    (3, "shared", "row", "none", "cluster"),
    (2, "channel", "symmetric", "mean_edge", "cluster"),
]


def compare_on(program, npz, checks, label, case, model):
    _, filters_per, normalization, normalize_positions, layers = case
    data = reference.Data(npz, normalization, normalize_positions)
    with tempfile.TemporaryDirectory() as folder:
        halognn = Halognn(program, npz, folder, "normalize_features: none",
                          f"type: geogcn, filters_per: {filters_per}, normalization: {normalization}, "
                          f"normalize_positions: {normalize_positions}, layers: {layers}, {model}")
        for ranks in (1, 3):
            compare(halognn, reference, data, checks, f"{label}, filters per {filters_per}, {normalization}", ranks, STEPS, [])


def compare_graphs(program, folder, checks, seed, case):
    dims, filters_per, normalization, normalize_positions, pooling = case
    arrays = graphs_reference.random_collection(40, 12, 5, 3, dims, seed)
    npz = os.path.join(folder, "collection.npz")
    np.savez(npz, **arrays)
    data = graphs_reference.Collection(arrays, normalization, normalize_positions, 2 if pooling == "cluster" else 0)
    with tempfile.TemporaryDirectory() as inner:
        halognn = Halognn(program, npz, inner, "normalize_features: none",
                          f"type: geogcn, filters_per: {filters_per}, normalization: {normalization}, pooling: {pooling}, "
                          f"normalize_positions: {normalize_positions}, layers: 2, hidden: 7, filters: 3")
        for ranks in (1, 3):
            compare(halognn, graphs_reference, data, checks, f"graphs, {dims}-D, {normalization}, pooling {pooling}", ranks, STEPS,
                    ["train.batch_size=1000"])  # one batch an epoch: the reference does not shuffle


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    checks = Checks()
    with tempfile.TemporaryDirectory() as folder:
        npz = os.path.join(folder, "random.npz")
        for seed, case in enumerate(CASES):
            np.savez(npz, **reference.random_graph(150, 4, 5, 3, case[0], seed))
            compare_on(sys.argv[1], npz, checks, f"random, {case[0]}-D", case, "hidden: 7, filters: 3")
        for seed, case in enumerate(COLLECTIONS):
            compare_graphs(sys.argv[1], folder, checks, seed, case)
    if len(sys.argv) == 3:
        compare_on(sys.argv[1], sys.argv[2], checks, "openflights", (3, "channel", "row", "mean_edge", 2), "hidden: 8, filters: 4")
    return checks.report("compare_geogcn")


if __name__ == "__main__":
    sys.exit(main())
