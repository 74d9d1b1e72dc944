"""compare_gcn.py HALOGNN CORA.npz: trains with the float64 build on 1 and 3 ranks and compares with gcn_reference.py."""
import sys
import tempfile

import gcn_reference as reference
from halognn import Checks, Halognn, compare


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    data, checks = reference.Data(sys.argv[2]), Checks()
    with tempfile.TemporaryDirectory() as folder:
        halognn = Halognn(sys.argv[1], sys.argv[2], folder, "normalize_features: row", "type: gcn, hidden: 16")
        for layers in (2, 3):
            for ranks in (1, 3):
                compare(halognn, reference, data, checks, f"{layers} layers", ranks, 50, [f"model.layers={layers}"], weight_decay=5e-4)
    return checks.report("compare_gcn")


if __name__ == "__main__":
    sys.exit(main())
