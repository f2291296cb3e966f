"""Throughput: several streams of pictures at once, as threads of one process or as processes.

    python benchmarks/streams.py [--seconds 3] [--bank 4000] [--streams 1 2 4]

The graph takes one picture at a time, so throughput comes from streams. Each stream has a session of its own. The
pictures are decoded and 256 x 256. All streams of a configuration begin together, warmed up, and run for --seconds.
"""

import argparse
import multiprocessing
import sys
import time
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

from models import graph_run, our_model
from tables import RESULTS, Cell, write_table

_WARM_UP = 10
_READY_S = 300  # a machine on which a stream takes longer to begin is not worth measuring
_CONTEXT = multiprocessing.get_context("spawn")  # a forked process would inherit the runtime's locks, not its threads
KINDS: dict[str, Callable[[int], Executor]] = {
    "threads": ThreadPoolExecutor,
    "processes": lambda count: ProcessPoolExecutor(count, mp_context=_CONTEXT),
}


def stream(graph: bytes, threads: int, ready: Barrier, seconds: float) -> int:
    """Warm up, wait until all streams have, judge one picture after another for so many seconds; return how many."""
    run = graph_run(graph, 256, threads)
    for _ in range(_WARM_UP):
        run()
    ready.wait(_READY_S)
    done, end = 0, time.perf_counter() + seconds
    while time.perf_counter() < end:
        run()
        done += 1
    return done


def throughput(graph: bytes, kind: str, streams: int, threads: int, seconds: float) -> float:
    """Pictures per second of all streams together."""
    with _CONTEXT.Manager() as manager, KINDS[kind](streams) as pool:
        ready = manager.Barrier(streams)  # one that processes can share
        counts = [pool.submit(stream, graph, threads, ready, seconds) for _ in range(streams)]
        return sum(count.result() for count in counts) / seconds


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--streams", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2], help="that one run may use")
    parser.add_argument("--bank", type=int, default=4_000)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    graph = our_model(bank=options.bank).graph
    rows: list[dict[str, Cell]] = []
    for kind in KINDS:
        for streams in options.streams:
            for threads in options.threads:
                if kind == "processes" and streams == 1:
                    continue  # the same as one thread
                rate = throughput(graph, kind, streams, threads, options.seconds)
                rows.append({"streams": streams, "as": kind, "threads of each": threads, "pictures per second": rate})
                print(rows[-1], file=sys.stderr, flush=True)
    first = next(row["pictures per second"] for row in rows)
    for row in rows:
        row["against the first"] = float(row["pictures per second"] or 0) / float(first or 1)
    command = " ".join(["python benchmarks/streams.py", *sys.argv[1:]])
    notes = [f"256 x 256 px, {options.bank:,} vectors, {options.seconds:g} s each, decoding not counted."]
    page = write_table(
        options.out, "streams", rows, title="Throughput with several streams", command=command, notes=notes
    )
    print(page.read_text(encoding="utf-8"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
