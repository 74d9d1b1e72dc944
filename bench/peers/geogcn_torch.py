#!/usr/bin/env python3
"""The geo-GCN layer in plain PyTorch, which stores a number for each edge, channel and filter: what `halognn bench geo` is compared with.

    bench/peers/geogcn_torch.py [--threads T] [--seconds S] [--shape CHANNELS,FILTERS]...

The same problem as `halognn bench geo`: 64 graphs of 75 nodes with 8 nearest in-neighbours each (38,400 edges) and self-loops, 2-D positions,
16 outputs. a_i[c,k] = sum over edges j -> i and j = i of relu(u_ck (p_j - p_i) + b_ck) x_j[c]; h = relu(a W + bias). Prints one JSON object
with the milliseconds (median and least) of forward, and of forward and backward, and the peak memory that each shape adds, in a process of
its own. Debian's python3-torch is all it needs.
"""

import argparse
import json
import resource
import subprocess
import sys
import time

try:
    import torch
except ImportError:
    sys.exit("geogcn_torch: error: torch is missing; as root: apt-get install python3-torch")

GRAPHS, GRAPH_NODES, NEIGHBOURS, DIMS, OUTPUTS = 64, 75, 8, 2, 16
NODES = GRAPHS * GRAPH_NODES


def nearest_graph():
    """Positions, and the targets and sources of all edges, self-loops last."""
    positions = torch.rand(GRAPHS, GRAPH_NODES, DIMS) * 2 - 1
    distance = torch.cdist(positions, positions)
    distance.diagonal(dim1=1, dim2=2).fill_(float("inf"))
    source = distance.topk(NEIGHBOURS, largest=False).indices + GRAPH_NODES * torch.arange(GRAPHS)[:, None, None]
    target = torch.arange(NODES).repeat_interleave(NEIGHBOURS)
    loops = torch.arange(NODES)
    return positions.reshape(NODES, DIMS), torch.cat([target, loops]), torch.cat([source.reshape(-1), loops])


def layer(x, positions, target, source, parameters):
    u, b, w, bias = parameters
    channels = x.shape[1]
    gate = torch.relu(torch.addmm(b, positions[source] - positions[target], u)).view(len(target), channels, -1)
    messages = (gate * x[source].unsqueeze(2)).flatten(1)
    a = torch.zeros(NODES, messages.shape[1]).index_add_(0, target, messages)
    return torch.relu(torch.addmm(bias, a, w))


def time_runs(run, seconds):
    run()
    samples = []
    begin = time.perf_counter()
    while len(samples) < 3 or time.perf_counter() - begin < seconds:
        start = time.perf_counter()
        run()
        samples.append((time.perf_counter() - start) * 1e3)
    samples.sort()
    return samples[len(samples) // 2], samples[0]


def measure(channels, filters, seconds):
    torch.manual_seed(1)
    positions, target, source = nearest_graph()
    x = torch.rand(NODES, channels).mul_(2).sub_(1).requires_grad_()
    maps = channels * filters
    parameters = [torch.rand(shape).mul_(2).sub_(1).requires_grad_()
                  for shape in ((DIMS, maps), (maps,), (maps, OUTPUTS), (OUTPUTS,))]

    def forward():
        with torch.no_grad():
            layer(x, positions, target, source, parameters)

    def both():
        for tensor in (x, *parameters):
            tensor.grad = None
        layer(x, positions, target, source, parameters).square().sum().backward()

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    forward_ms, both_ms = time_runs(forward, seconds), time_runs(both, seconds)
    return {"channels": channels, "filters": filters, "edges": NODES * NEIGHBOURS, "threads": torch.get_num_threads(),
            "forward_ms": forward_ms[0], "forward_min_ms": forward_ms[1], "both_ms": both_ms[0], "both_min_ms": both_ms[1],
            "memory_bytes": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=2, help="for each measurement (default: 2)")
    parser.add_argument("--shape", action="append", metavar="CHANNELS,FILTERS", help="default: 1,64 and 16,64")
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    shapes = arguments.shape or ["1,64", "16,64"]
    if arguments.alone:
        channels, filters = map(int, shapes[0].split(","))
        print(json.dumps(measure(channels, filters, arguments.seconds)))
        return
    options = ["--threads", str(arguments.threads), "--seconds", str(arguments.seconds), "--alone", "--shape"]
    runs = [subprocess.run([sys.executable, __file__, *options, shape], stdout=subprocess.PIPE, check=True) for shape in shapes]
    print(json.dumps({"torch": torch.__version__, "layers": [json.loads(run.stdout) for run in runs]}, indent=2))


main()
