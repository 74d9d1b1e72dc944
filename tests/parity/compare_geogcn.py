"""compare_geogcn.py HALOGNN [OPENFLIGHTS.npz]: trains with the float64 build on 1 and 3 ranks and compares with geogcn_reference.py.

On random graphs in 2 and 3 dimensions, and on the airports, 3-D, when their file is given.
"""
import os
import sys
import tempfile

import numpy as np

import geogcn_reference as reference
from halognn import Checks, Halognn, compare

STEPS = 20
CASES = [  # dimensions, filters_per, normalization, normalize_positions, layers
    (2, "channel", "sum", "mean_edge", 2),
    (2, "shared", "symmetric", "mean_edge", 3),
    (3, "channel", "row", "none", 3),
    (3, "shared", "sum", "none", 2),
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


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    checks = Checks()
    with tempfile.TemporaryDirectory() as folder:
        npz = os.path.join(folder, "random.npz")
        for seed, case in enumerate(CASES):
            np.savez(npz, **reference.random_graph(150, 4, 5, 3, case[0], seed))
            compare_on(sys.argv[1], npz, checks, f"random, {case[0]}-D", case, "hidden: 7, filters: 3")
    if len(sys.argv) == 3:
        compare_on(sys.argv[1], sys.argv[2], checks, "openflights", (3, "channel", "row", "mean_edge", 2), "hidden: 8, filters: 4")
    return checks.report("compare_geogcn")


if __name__ == "__main__":
    sys.exit(main())
