#!/usr/bin/env python3
"""The table of scripts/bench_all.sh, from the folder of its turns: NAME.THREADS.ROUND.halognn.json and .torch.json."""

import glob
import json
import os
import statistics
import sys


def load(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def ours(report):
    rows = {row["name"].strip(): row for row in report["benchmarks"]}
    epoch = next(row for name, row in rows.items() if name.startswith("epoch, ") and "flops" not in name)
    return {"seconds": epoch["median_s"], "floor": epoch["times_floor"], "floor_flops": rows["epoch, flops alone"]["times_floor"],
            "phases": rows["phases / epoch"]["rate"], "planned": rows["memory planned"]["rate"],
            "peak": rows["memory resident, peak"]["rate"]}


def median(turns, key):
    return statistics.median(turn[key] for turn in turns)


def beside(mine, theirs):
    """What PyTorch's turns took: its epoch, the ratio, the ratios of single turns; its memory and the ratio of that."""
    if not theirs:
        return ["", "", ""], ["", ""]
    ratios = sorted(t["epoch_seconds_median"] / m["seconds"] for m, t in zip(mine, theirs))
    peak = median(theirs, "peak_rss_bytes") / 2**20
    return ([f"{1e3 * median(theirs, 'epoch_seconds_median'):.4g} ms", f"{statistics.median(ratios):.1f}", f"{ratios[0]:.1f} to {ratios[-1]:.1f}"],
            [f"{peak:.0f} MiB", f"{peak / median(mine, 'peak'):.1f}"])


def line(name, threads, mine, theirs):
    times, memory = beside(mine, theirs)
    cells = [name, threads, f"{1e3 * median(mine, 'seconds'):.4g} ms", *times, f"{median(mine, 'floor'):.2f}", f"{median(mine, 'floor_flops'):.2f}",
             f"{median(mine, 'phases'):.0f} %", f"{median(mine, 'peak'):.0f} MiB", *memory]
    print("| " + " | ".join(cells) + " |")


def main():
    folder, names = sys.argv[1], sys.argv[2:]
    print("| graph | threads | HaloGNN | PyTorch | ratio | ratios of the turns | x kernels' floor | x flops' floor | phases | "
          "resident | PyTorch's | ratio |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for name in names:
        for threads in sorted({os.path.basename(p).split(".")[1] for p in glob.glob(f"{folder}/{name}.*.halognn.json")}):
            mine = [ours(load(p)) for p in sorted(glob.glob(f"{folder}/{name}.{threads}.*.halognn.json"))]
            theirs = [load(p) for p in sorted(glob.glob(f"{folder}/{name}.{threads}.*.torch.json"))]
            line(name, threads, mine, theirs)


main()
