"""The machine's own limit, and how near to it our graph comes.

    python benchmarks/machine.py [--threads 2] [--rounds 10]

Measured are matrix products (NumPy, and ONNX Runtime in float32 and 8-bit integers), a convolution and a large copy.
The multiply-adds of the graph are counted in the graph itself (benchmarks/operations.py: Conv, Gemm, MatMul and their
integer kin). What the graph would take if all of them ran at the speed of the best product of their kind, divided by
what it takes, is the share of the machine's peak that it reaches.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from bursts import Work, interleaved
from coreset import blas
from models import bank_of, graph_run, our_model, picture
from operations import multiply_adds
from sightline.models.graph import IR_VERSION, OPSET, open_session
from tables import RESULTS, Cell, write_table

SIDE = 1_024  # of the square matrices
COPY_BYTES = 256 << 20  # several times the caches
FLOATS = ("float32 product, NumPy", "float32 product, ONNX Runtime")
INTEGERS = "8-bit product, ONNX Runtime"
COPY = "copy of 256 MiB, NumPy"


def product_run(kind: str, threads: int) -> Work:
    """SIDE x SIDE times SIDE x SIDE by ONNX Runtime; the right factor is constant, as a bank or weights are."""
    rng = np.random.default_rng(0)
    if kind == "MatMul":
        left, right, given = (
            rng.random((SIDE, SIDE), np.float32),
            rng.random((SIDE, SIDE), np.float32),
            TensorProto.FLOAT,
        )
        taken = TensorProto.FLOAT
    else:
        left = rng.integers(0, 255, (SIDE, SIDE), np.uint8)
        right = rng.integers(-127, 127, (SIDE, SIDE), np.int8)
        taken, given = TensorProto.UINT8, TensorProto.INT32
    graph = helper.make_graph(
        [helper.make_node(kind, ["left", "right"], ["product"])],
        "product",
        [helper.make_tensor_value_info("left", taken, [SIDE, SIDE])],
        [helper.make_tensor_value_info("product", given, [SIDE, SIDE])],
        [numpy_helper.from_array(right, "right")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
    model.ir_version = IR_VERSION
    session = open_session(model, threads=threads)
    return lambda: session.run(None, {"left": left})


def works(threads: int) -> dict[str, Work]:
    """What the machine's limit is measured with."""
    rng = np.random.default_rng(0)
    left, right = rng.random((SIDE, SIDE), np.float32), rng.random((SIDE, SIDE), np.float32)
    source = np.ones(COPY_BYTES // 4, np.float32)
    target = np.zeros_like(source)
    return {
        FLOATS[0]: lambda: left @ right,
        FLOATS[1]: product_run("MatMul", threads),
        INTEGERS: product_run("MatMulInteger", threads),
        COPY: lambda: np.copyto(target, source),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--bank", type=int, default=4_000, help="vectors of the graph")
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    bundle = our_model(bank=options.bank)
    name = f"graph, {bank_of(bundle):,} vectors"
    counted = multiply_adds(onnx.load_model_from_string(bundle.graph), {"image": picture()})
    times = interleaved(works(options.threads) | {name: graph_run(bundle.graph, 256, options.threads)}, options.rounds)
    seconds = {what: float(np.median(values)) / 1e3 for what, values in times.items()}
    speed = {what: 2 * SIDE**3 / seconds[what] for what in (*FLOATS, INTEGERS)}
    rows: list[dict[str, Cell]] = [
        {"what": what, "p50 ms": seconds[what] * 1e3, "GFLOP/s or GOP/s": speed[what] / 1e9, "GB/s": None}
        for what in speed
    ]
    # read once and written once; that a cache line is also fetched before it is written is not counted
    rows.append(
        {
            "what": COPY,
            "p50 ms": seconds[COPY] * 1e3,
            "GFLOP/s or GOP/s": None,
            "GB/s": 2 * COPY_BYTES / seconds[COPY] / 1e9,
        }
    )
    reached = 2 * counted.total / seconds[name]
    rows.append({"what": name, "p50 ms": seconds[name] * 1e3, "GFLOP/s or GOP/s": reached / 1e9, "GB/s": None})
    best = max(speed[what] for what in FLOATS)
    least = 2 * counted.floats / best + 2 * counted.integers / max(speed[INTEGERS], best)
    notes = [
        f"{options.threads} threads; {blas()}. The graph at 256 x 256 px needs {counted.floats / 1e6:,.0f} million "
        f"multiply-adds in float32 and {counted.integers / 1e6:,.0f} million in 8-bit integers, each counted as two "
        f"operations. At the speed of the best products that is {least * 1e3:.2f} ms: it reaches "
        f"**{100 * least / seconds[name]:.0f} %** of the machine's peak."
    ]
    command = " ".join(["python benchmarks/machine.py", *sys.argv[1:]])
    page = write_table(options.out, "machine", rows, title="The machine's own limit", command=command, notes=notes)
    print(page.read_text(encoding="utf-8"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
