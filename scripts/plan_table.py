#!/usr/bin/env python3
"""The table of scripts/plan_accuracy.sh: plan_table.py FOLDER NAME... reads FOLDER/NAME.RANKSxTHREADS.ROUND.{plan,run}.json."""
import json
import pathlib
import statistics
import sys

folder, names = pathlib.Path(sys.argv[1]), sys.argv[2:]


def predicted(path):
    plan = json.loads(path.read_text())[0]
    return next(s["epoch_seconds"] for s in plan["schemes"] if s["name"] == plan["chosen"])


def measured(path):
    return json.loads(path.read_text())["benchmarks"][0]["median_s"]


def of_rounds(name, shape, kind, read):
    return [1e3 * read(path) for path in sorted(folder.glob(f"{name}.{shape}.*.{kind}.json"))]


print("| graph | ranks x threads | predicted, ms | measured, ms | predicted / measured | least of the rounds | ratio |")
print("| --- | --- | --- | --- | --- | --- | --- |")
for name in names:
    for shape in ("1x1", "1x2", "2x1"):
        plan, run = of_rounds(name, shape, "plan", predicted), of_rounds(name, shape, "run", measured)
        p, r, least_p, least_r = statistics.median(plan), statistics.median(run), min(plan), min(run)
        print(f"| {name} | {shape.replace('x', ' x ')} | {p:.3g} | {r:.3g} | {p / r:.2f} | {least_p:.3g} and {least_r:.3g} | {least_p / least_r:.2f} |")
