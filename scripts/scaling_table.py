"""scaling_table.py FOLDER RUN_DIR...: the runs' summary.json as a table on standard output and as FOLDER/scaling.csv"""
import csv
import json
import os
import sys

FIXED = ["ranks", "threads", "epoch_seconds", "speedup", "efficiency", "halo_bytes", "halo_nodes", "edge_cut", "peak_bytes", "partition_seconds"]


def read(run):
    path = os.path.join(run, "summary.json")
    try:
        with open(path) as f:
            summary = json.load(f)
        return {
            "ranks": summary["ranks"],
            "threads": summary["threads"],
            "epoch_seconds": summary["epoch_seconds_median"],
            "halo_bytes": summary["halo_bytes_per_epoch"],
            "halo_nodes": summary["halo_nodes"],
            "edge_cut": summary["edge_cut"],
            "peak_bytes": summary["peak_rss_bytes"],
            "partition_seconds": summary["partition_seconds"],
            # the phases are sums over the epochs of the last repeat
            "phases": {name: seconds / max(1, summary["epochs"]) for name, seconds in summary["phases"].items()},
        }
    except (OSError, ValueError) as error:
        sys.exit(f"scaling_table: {path}: {error}")
    except KeyError as error:
        sys.exit(f"scaling_table: {path}: no key {error}")


def human(number):
    for unit in ("B", "KiB", "MiB", "GiB"):
        if number < 1024:
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1024
    return f"{number:.1f} TiB"


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    rows = sorted((read(run) for run in sys.argv[2:]), key=lambda row: row["ranks"])
    base = rows[0]
    for row in rows:
        # Relative to the smallest run, which need not be on one rank.
        row["speedup"] = base["ranks"] * base["epoch_seconds"] / row["epoch_seconds"] if row["epoch_seconds"] else 0.0
        row["efficiency"] = row["speedup"] / row["ranks"]
    phases = list(base["phases"])
    with open(os.path.join(sys.argv[1], "scaling.csv"), "w", newline="") as f:
        out = csv.writer(f, lineterminator="\n")
        out.writerow(FIXED + phases)
        for row in rows:
            out.writerow([row[key] for key in FIXED] + [row["phases"].get(phase, 0) for phase in phases])
    print(f"{'ranks':>5} {'threads':>7} {'ms/epoch':>9} {'speed-up':>8} {'efficiency':>10} {'halo/epoch':>11} {'halo nodes':>10} {'peak/rank':>10}"
          + "".join(f" {phase + ' ms':>14}" for phase in phases))
    for row in rows:
        print(f"{row['ranks']:>5} {row['threads']:>7} {1e3 * row['epoch_seconds']:>9.3f} {row['speedup']:>8.2f} {row['efficiency']:>10.0%}"
              f" {human(row['halo_bytes']):>11} {row['halo_nodes']:>10} {human(row['peak_bytes']):>10}"
              + "".join(f" {1e3 * row['phases'].get(phase, 0):>14.3f}" for phase in phases))


if __name__ == "__main__":
    main()
