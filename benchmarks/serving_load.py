"""64 clients that ask every signature of models of every system at once: errors, p99, throughput, the server's memory.

python -m benchmarks.serving_load [--models saved_models] [--seconds 60] [--bare-seconds 10] [--clients 64]

A system that `--models` has no model of gets an untrained one (`benchmarks.tiny_systems`), in a temporary folder or in
`--folder`, which a later run takes as it is. Each client asks one small request after another over REST, on the
loopback: a model by chance, then one of its signatures. The same clients then call the same SavedModels in this
process, as many at a time as the server has workers. Prints JSON; a table goes to standard error.

Memory is the server's resident set, at twelve times of the load; it is flat from a request on if it stays in a band.
"""

import argparse
import json
import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from benchmarks.serving import WORKERS, Rest, bare_call, bare_signatures, requests_of, rest_body, serve
from benchmarks.tiny_systems import folder_of_all_systems

SAMPLES = 12  # of the memory
SETTLED = 3  # of the samples come before the memory must be flat


def load(ask, keys, clients, seconds, watch=lambda asked: None):
    """Clients that ask one request after another.

    Args:
        ask: makes a client, a function of a (model, signature) that returns an HTTP status.
        keys: list of (model, signature). clients: how many. seconds: of the load.
        watch: called SAMPLES times, with the requests answered so far.

    Returns:
        dict model -> list of (seconds, status), and the seconds of it all.
    """
    taken, signatures = defaultdict(list), defaultdict(list)
    for key in keys:
        signatures[key[0]].append(key)
    models, started = sorted(signatures), time.perf_counter()

    def client(number):
        chance, one = random.Random(number), ask()
        while time.perf_counter() < started + seconds:
            key = chance.choice(signatures[chance.choice(models)])
            before = time.perf_counter()
            status = one(key)
            taken[key[0]].append((time.perf_counter() - before, status))

    threads = [threading.Thread(target=client, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for sample in range(1, SAMPLES + 1):
        time.sleep(max(0.0, started + sample * seconds / SAMPLES - time.perf_counter()))
        watch(sum(map(len, taken.values())))
    for thread in threads:
        thread.join()
    return taken, time.perf_counter() - started


def numbers(answers, seconds):
    """Requests, errors, rate, p50 and p99 of a list of (seconds, status)."""
    p50, p99 = (1000 * float(np.percentile([taken for taken, _ in answers], part)) for part in (50, 99))
    return {
        "requests": len(answers),
        "errors": sum(status != 200 for _, status in answers),
        "requests/s": round(len(answers) / seconds, 1),
        "p50, ms": round(p50, 1),
        "p99, ms": round(p99, 1),
    }


def by_model(taken, seconds):
    """`numbers` of each model, and of all."""
    every = [answer for answers in taken.values() for answer in answers]
    return {name: numbers(answers, seconds) for name, answers in [*sorted(taken.items()), ("all", every)]}


def resident(pid):
    """MB of memory of a process."""
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return round(pages * os.sysconf("SC_PAGE_SIZE") / 2**20)


def memory(samples):
    """What the samples (requests, MB) tell: them all, and the band in which they stay once it has settled."""
    settled = [size for _, size in samples[SETTLED:]]
    return {"requests and MB": samples, "after requests": samples[SETTLED][0], "within MB": max(settled) - min(settled)}


def loads(where, pid, bare, requests, arguments):
    """The load on the server, then on the bare models."""
    bodies = {key: rest_body(key[1], inputs) for key, inputs in requests.items()}
    calls = {key: bare_call(bare[key[0]][key[1]], inputs) for key, inputs in requests.items()}
    samples = [(0, resident(pid))]

    def by_rest():
        rest = Rest(where["rest_port"])
        return lambda key: rest.ask(key[0], bodies[key])[0]

    keys = list(requests)
    served = load(
        by_rest, keys, arguments.clients, arguments.seconds, lambda asked: samples.append((asked, resident(pid)))
    )
    with ThreadPoolExecutor(WORKERS) as workers:  # first come, first served, as at the server
        direct = load(
            lambda: lambda key: workers.submit(calls[key]).result() and 200,
            keys,
            arguments.clients,
            arguments.bare_seconds,
        )
    return {"server": by_model(*served), "bare": by_model(*direct), "memory": memory(samples)}


def table(results):
    """A line for each model: the server's numbers and the bare SavedModel's."""
    names = ["requests", "errors", "requests/s", "p50, ms", "p99, ms"]
    rows = [["", *names, *(f"bare {name}" for name in names[2:])]]
    for model, served in results["server"].items():
        bare = results["bare"].get(model, {})
        rows.append([model, *(str(served[name]) for name in names), *(str(bare.get(name, "")) for name in names[2:])])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    flat = results["memory"]
    sizes = ", ".join(f"{size} MB after {asked}" for asked, size in flat["requests and MB"])
    return "\n".join(
        [*lines, f"memory: {sizes}; after {flat['after requests']} requests within {flat['within MB']} MB"]
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--models", default="saved_models", metavar="FOLDER")
    add("--folder", metavar="FOLDER", help="with the models of every system; made if it does not exist")
    add("--seconds", type=float, default=60.0, help="of the load on the server (default: 60)")
    add("--bare-seconds", type=float, default=10.0, help="of that on the bare models (default: 10)")
    add("--clients", type=int, default=64)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(arguments.folder or Path(temporary) / "saved_models")
        if not folder.is_dir():
            folder.mkdir(parents=True)
            print(f"untrained: {', '.join(folder_of_all_systems(arguments.models, folder))}", file=sys.stderr)
        process, where = serve(folder, arguments.clients)
        try:
            requests = requests_of(folder)
            bare = bare_signatures(folder, requests)
            for (model, signature), inputs in requests.items():  # the server has warmed its own up
                if any(bare_call(bare[model][signature], inputs)().get("error", ())):
                    raise ValueError(f"{model} {signature} refuses its example")
            print("the load begins", file=sys.stderr, flush=True)
            results = loads(where, process.pid, bare, requests, arguments)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()
    print(table(results), file=sys.stderr)
    print(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
