"""Which operations of each exported signature have a GPU kernel, told without a GPU.

python -m benchmarks.gpu_audit [FOLDER ...] [--full]

For each signature: how many nodes would run on a GPU, and the nodes of the host by name. What computes with fractions
inside a sampling or mean-field loop is listed apart, and should be nothing. --full: the GPU's operations, too.
"""

import argparse
import json
from collections import Counter
from pathlib import Path

from keras_seqgen.serving.gpu_audit import audit


def summary(table, full):
    """The numbers of one signature."""
    sides = {True: Counter(), False: Counter()}
    for row, count in table.items():
        sides[row.on_gpu][f"{row.op} ({', '.join(row.types)}){' in a loop' if row.in_loop else ''}"] += count
    inside = [row for row in table if row.in_loop]
    told = {
        "nodes on the GPU": sum(sides[True].values()),
        "of them in loops": sum(table[row] for row in inside if row.on_gpu),
        "nodes on the host": dict(sides[False]),
        "numeric in loops on the host": sorted(row.op for row in inside if row.numeric and not row.on_gpu),
    }
    return {**told, "table of the GPU": dict(sides[True])} if full else told


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", default=sorted(Path("saved_models").glob("*/[0-9]*")), metavar="FOLDER")
    parser.add_argument("--full", action="store_true")
    arguments = parser.parse_args()
    results = {
        str(folder): {name: summary(table, arguments.full) for name, table in audit(folder).items()}
        for folder in arguments.folders
    }
    print(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
