#!/usr/bin/python3
"""Molecules of a SMILES csv file as a collection of graphs with 3-D positions, for `halognn import npz`.

As in the paper of geo-GCN (arXiv 1909.05310): hydrogens are added, one conformer is embedded (ETKDG, fixed seed) and optimised with UFF,
hydrogens are removed. An atom is a node, a bond two edges. The 25 features: atomic number as one of 5 6 7 8 9 15 16 17 35 53 other (11),
bonds to heavy atoms 0 to 5 (6), hydrogens 0 to 4 (5), formal charge, in a ring, aromatic; what is beyond a list counts as its last entry.

Either one file, split by --fractions and --split-seed, or a file for each of --train, --val, --test. A row that cannot be converted is
reported with its line and left out. Needs scripts/install_deps.sh --molecules. Exit status: 0 done, 1 failed, 2 bad input.
"""
import argparse
import csv
import math
import os
import sys

ATOMIC_NUMBERS = [5, 6, 7, 8, 9, 15, 16, 17, 35, 53, None]
HEAVY_NEIGHBOURS = range(6)
HYDROGENS = range(5)
BOND_TYPES = {"SINGLE": 1, "DOUBLE": 2, "TRIPLE": 3, "AROMATIC": 4}
SPLITS = ("train", "val", "test")


class InputError(Exception):
    """What is wrong with a file, with its name and line."""


class Unconverted(Exception):
    """Why a row is left out."""


def say(text):
    print(f"molecules_to_npz: {text}", file=sys.stderr)


def one_of(value, choices):
    choices = list(choices)
    at = choices.index(value) if value in choices else len(choices) - 1
    return [float(k == at) for k in range(len(choices))]


def atom_features(atom):
    return (
        one_of(atom.GetAtomicNum(), ATOMIC_NUMBERS)
        + one_of(atom.GetDegree(), HEAVY_NEIGHBOURS)
        + one_of(atom.GetTotalNumHs(), HYDROGENS)
        + [float(atom.GetFormalCharge()), float(atom.IsInRing()), float(atom.GetIsAromatic())]
    )


def embed(molecule, seed):
    """One conformer with hydrogens; from random coordinates where distance geometry finds none."""
    molecule = Chem.AddHs(molecule)
    options = AllChem.ETKDG()
    options.randomSeed = seed
    for options.useRandomCoords in (False, True):
        if AllChem.EmbedMolecule(molecule, options) == 0:
            return molecule
    raise Unconverted("no conformer was found")


def convert(smiles, seed, place):
    """(features [n, 25], positions [n, 3], edges [2, m] ascending, bond types [m]) of a molecule."""
    molecule = Chem.MolFromSmiles(smiles)
    if molecule is None:
        raise Unconverted(f"'{smiles}' is no SMILES")
    if molecule.GetNumAtoms() == 0:
        raise Unconverted("the molecule has no atoms")
    molecule = embed(molecule, seed)
    if AllChem.UFFHasAllMoleculeParams(molecule):
        AllChem.UFFOptimizeMolecule(molecule, maxIters=2000)
    else:
        say(f"{place}: UFF has no parameters for an atom of it: the embedded positions are kept")
    molecule = Chem.RemoveHs(molecule)
    positions = np.asarray(molecule.GetConformer().GetPositions(), dtype=np.float32)
    if not np.isfinite(positions).all():
        raise Unconverted("the conformer's positions are not finite")
    edges = sorted(
        (*ends, BOND_TYPES.get(str(bond.GetBondType()), 0))
        for bond in molecule.GetBonds()
        for ends in (
            (bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()),
            (bond.GetEndAtomIdx(), bond.GetBeginAtomIdx()),
        )
    )
    table = np.array(edges, dtype=np.int32).reshape(-1, 3)
    features = np.array([atom_features(atom) for atom in molecule.GetAtoms()], dtype=np.float32)
    return features, positions, table[:, :2].T, table[:, 2].astype(np.uint8)


def read_target(text, task, place):
    text = (text or "").strip()
    if not text:
        raise Unconverted("the target is missing")
    try:
        value = float(text)
    except ValueError:
        raise InputError(f"{place}: found '{text}' as the target, expected a number") from None
    if not math.isfinite(value):
        raise Unconverted(f"the target is {text}")
    if task == "classes" and (value < 0 or value != int(value) or value >= 2**31):
        raise InputError(f"{place}: found '{text}' as the target, expected a class 0, 1, ...")
    return value


def rows_of(path, columns):
    """(line, row number from 0, the texts of the columns) of a csv file with a heading."""
    try:
        with open(path, encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            names = reader.fieldnames or []
            for column in columns:
                if column not in names:
                    raise InputError(f"{path}: no column '{column}', expected one of: {', '.join(names)}")
            for number, row in enumerate(reader):
                yield reader.line_num, number, [row[column] for column in columns]
    except OSError as error:
        raise InputError(f"{path}: cannot read: {error.strerror}") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: no csv file in UTF-8: {error}") from None


def read_molecules(path, arguments):
    """(row number, target, graph) of each row that could be converted; and how many could not."""
    molecules, skipped = [], 0
    for line, number, (smiles, target) in rows_of(path, (arguments.smiles_column, arguments.target_column)):
        place = f"{path}: line {line}"
        try:
            value = read_target(target, arguments.task, place)
            molecules.append((number, value, convert((smiles or "").strip(), arguments.conformer_seed, place)))
        except Unconverted as why:
            say(f"{place}: {why}: left out")
            skipped += 1
    if not molecules:
        raise InputError(f"{path}: no row could be converted")
    return molecules, skipped


def split_of(count, fractions, seed):
    """Graph numbers of train, val and test, ascending; a function of (count, fractions, seed)."""
    order = np.random.RandomState(seed).permutation(count)
    ends = np.rint(np.cumsum([0.0, *fractions]) * count).astype(int)
    ends = [*ends, count]
    return {name: np.sort(order[ends[k] : ends[k + 1]]) for k, name in enumerate(SPLITS)}


def collect(arguments):
    """All molecules, the split and how many rows were left out."""
    if arguments.csv:
        molecules, skipped = read_molecules(arguments.csv, arguments)
        return molecules, split_of(len(molecules), arguments.fractions, arguments.split_seed), skipped
    molecules, split, skipped = [], {}, 0
    for name in SPLITS:
        found, bad = read_molecules(getattr(arguments, name), arguments)
        split[name] = np.arange(len(molecules), len(molecules) + len(found))
        molecules += found
        skipped += bad
    return molecules, split, skipped


def arrays_of(molecules, split, task):
    """The arrays of the collection: see docs/data_formats.md."""
    rows, targets, graphs = zip(*molecules)
    features, positions, edges, bonds = zip(*graphs)
    return {
        "node_ptr": np.cumsum([0, *map(len, features)], dtype=np.int64),
        "edge_ptr": np.cumsum([0, *map(len, bonds)], dtype=np.int64),
        "x": np.concatenate(features),
        "pos": np.concatenate(positions),
        "edge_index": np.concatenate(edges, axis=1),
        "bond_type": np.concatenate(bonds),
        "y": np.array(targets, dtype=np.int64 if task == "classes" else np.float32),
        "csv_row": np.array(rows, dtype=np.int64),
        **{f"{name}_idx": split[name].astype(np.int64) for name in SPLITS},
    }


def write(path, arrays):
    """Appears under its name only when complete."""
    temporary = f"{path}.{os.getpid()}.tmp"
    try:
        with open(temporary, "wb") as file:
            np.savez_compressed(file, **arrays)
        os.replace(temporary, path)
    except OSError as error:
        if os.path.exists(temporary):
            os.remove(temporary)
        raise InputError(f"{path}: cannot write: {error.strerror}") from None


def parse(words):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("csv", nargs="?", metavar="FILE.csv", help="molecules that are split by --fractions")
    for name in SPLITS:
        parser.add_argument(f"--{name}", metavar="FILE.csv", help=f"the molecules of {name}, instead")
    parser.add_argument("-o", "--output", metavar="OUT.npz", required=True)
    parser.add_argument("--task", choices=("regression", "classes"), required=True, help="what the targets are")
    parser.add_argument("--smiles-column", metavar="NAME", default="smiles", help="(smiles)")
    parser.add_argument("--target-column", metavar="NAME", default="y", help="(y)")
    parser.add_argument(
        "--fractions", metavar=("TRAIN", "VAL"), nargs=2, type=float, default=(0.8, 0.1), help="the rest is test (0.8 0.1)"
    )
    parser.add_argument("--split-seed", metavar="N", type=int, default=0, help="(0)")
    parser.add_argument("--conformer-seed", metavar="N", type=int, default=42, help="(42)")
    arguments = parser.parse_args(words)
    files = [getattr(arguments, name) for name in SPLITS]
    if arguments.csv and any(files) or not arguments.csv and not all(files):
        parser.error("expected either one FILE.csv, or --train, --val and --test")
    if not all(0 <= f <= 1 for f in arguments.fractions) or sum(arguments.fractions) > 1:
        parser.error("--fractions: expected two numbers from 0 to 1 with a sum of at most 1")
    for name in ("split_seed", "conformer_seed"):
        if not 0 <= getattr(arguments, name) < 2**31:
            parser.error(f"--{name.replace('_', '-')}: expected a whole number from 0 to {2**31 - 1}")
    return arguments


def main():
    arguments = parse(sys.argv[1:])
    try:
        import_libraries()
        molecules, split, skipped = collect(arguments)
        arrays = arrays_of(molecules, split, arguments.task)
        write(arguments.output, arrays)
    except InputError as error:
        say(f"error: {error}")
        return 2
    sizes = "/".join(str(len(split[name])) for name in SPLITS)
    print(
        f"{os.path.basename(arguments.output)}: {len(molecules)} molecules, {len(arrays['x'])} atoms, "
        f"{len(arrays['bond_type'])} edges, {skipped} rows left out, split {sizes}"
    )
    return 0


def import_libraries():
    """After the arguments are known to be right, so that --help needs no library."""
    global np, Chem, AllChem
    try:
        import numpy as np
        from rdkit import Chem, RDLogger
        from rdkit.Chem import AllChem
    except ImportError as error:
        say(f"error: {error}; scripts/install_deps.sh --molecules installs what is needed, for /usr/bin/python3")
        sys.exit(1)
    RDLogger.DisableLog("rdApp.*")  # we say ourselves what is wrong with a row, and where


if __name__ == "__main__":
    sys.exit(main())
