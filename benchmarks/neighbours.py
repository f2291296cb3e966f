"""Ways to find the nearest of the bank within the graph, and what the other parts of the graph take.

    python benchmarks/neighbours.py [--banks 1000 1500 4000 16000] [--rounds 30]

For each bank PatchCore learns rendered parts at 256 x 256 with default settings, and judges others. The searches run
alone and within the whole graph, in turn. Those in float32 are exact:

- as shipped: blocks of 128 patches; |b|^2 is a further component of the bank, so that a product and a minimum are all.
- norms as a bias: |b|^2, of products of 256 patches, which add it in a pass of its own.
- not in blocks: the whole matrix of distances goes through memory.
- bank in four: blocks of the bank within blocks of patches.
- bank times patches: the other way round, so that the minimum goes down the columns.

The others choose candidates, whose distances are then measured in float32. In 8 bits bank and patches have one scale,
that of the bank's largest component, and |b|^2 / 2 is written in further components whose factor is constant, so that
the integers are compared as the product gives them. Several candidates are the nearest of each of so many parts of the
bank, or by TopK those of the whole. ONNX Runtime turns a float16 product into float32 by casts.

Processor time on one thread counts: it holds on a machine with other work but for what that takes of the caches, and
the least of all runs had the least of it. In 8 bits it is that of a processor with VNNI; others add pairs of products
in 16 bits, which can overflow.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto

from bursts import Times, Work, interleaved
from models import bank_of, our_model, picture
from searches import CELLS, FORMS, Form, biased, shipped
from sightline.bundle import Bundle
from sightline.datasets.opening import open_dataset
from sightline.evaluation.metrics import image_metrics
from sightline.imaging.decode import read_frame
from sightline.models.detector import append_map, build_graph
from sightline.models.features import FeatureConfig, run_image
from sightline.models.gaussians import append_mahalanobis, gaussians_of, places_of
from sightline.models.graph import GraphBuilder, open_session
from sightline.models.interpolation import append_enlarged, append_resized
from sightline.models.patchcore import append_sum
from sightline.models.stored import StoredFeatures, stored_features
from sightline.models.window import Prior
from sightline.models.window import from_bytes as window_from_bytes
from sightline.records import FloatArray, Frame
from sightline.synthesis.collection import Counts, write_dataset
from sightline.synthesis.parts import PartConfig
from tables import RESULTS, Cell, write_table

SIDE, GRID = 256, (32, 32)
CONFIG = FeatureConfig(height=SIDE, width=SIDE)
LEARNT = 100  # rendered parts
JUDGED = Counts(good_train=0, good_test=60, per_defect=12)
SEED = 1  # of the parts that are judged; those that are learnt have 0
SHIPPED = next(iter(FORMS))
WHOLE = "the whole graph"
_SAME = 1e-5  # relative: what two ways to one distance in float32 may differ by
_TIMED = ("search", "graph")

Shape = Sequence[int]
Append = Callable[[GraphBuilder, str], str]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Taken:
    """A model taken apart at its patches."""

    features: StoredFeatures
    bank: FloatArray  # (M, D)
    prior: Prior
    threshold: float

    def whole(self, form: Form) -> onnx.ModelProto:
        """image -> score, map, with another search."""
        builder = GraphBuilder()
        patches = self.features.append_to(builder, "image")
        distances = [form(builder, patches, self.bank), self.append_places(builder, patches)]
        append_map(builder, append_sum(builder, distances, self.prior), self.features)
        return build_graph(builder, self.features)

    def append_places(self, builder: GraphBuilder, patches: str) -> str:
        return append_mahalanobis(builder, patches, gaussians_of(self.prior.moments), places_of(GRID))

    def append_whole_places(self, builder: GraphBuilder, patches: str) -> str:
        """The same with all of the triangles, zeros included."""
        found = gaussians_of(self.prior.moments)
        rows = builder.node("Reshape", [patches, builder.int64(CELLS, 1, found.mean.shape[1])])
        delta = builder.node("Sub", [rows, builder.constant(found.mean[:, None])])
        factors = builder.constant(np.asarray(found.whitening, np.float32))
        white = builder.node("MatMul", [delta, factors])
        squared = builder.node("ReduceSumSquare", [white, builder.int64(2)], {"keepdims": 0})
        return builder.node("Reshape", [builder.node("Sqrt", [squared]), builder.int64(-1)])


def taken(bundle: Bundle) -> Taken:
    assert bundle.window is not None, "a model of pictures alone, of one product"
    memory = window_from_bytes(bundle.window).memory
    assert memory.prior is not None, "the default has one"
    return Taken(
        features=stored_features(bundle.graph, CONFIG, GRID),
        bank=memory.pool.patches[: bank_of(bundle)],
        prior=memory.prior,
        threshold=bundle.manifest.thresholds.reject,
    )


def piece(given: Shape, append: Append, made: Shape) -> ort.InferenceSession:
    """A part of the graph by itself, from the value `given` to the value `made`."""
    builder = GraphBuilder()
    builder.rename(append(builder, "given"), "made")
    return open_session(builder.build([("given", TensorProto.FLOAT, given)], [("made", made)]), threads=1)


def search(model: Taken, form: Form) -> ort.InferenceSession:
    return piece((CELLS, model.bank.shape[1]), lambda builder, patches: form(builder, patches, model.bank), (CELLS,))


def parts_of(model: Taken, patches: FloatArray) -> dict[str, Work]:
    """What the whole graph is made of, each by itself, and how the same was computed before."""
    cells, size = np.ones((1, 1, *GRID), np.float32), (SIDE, SIDE)
    of_patches: dict[str, Append] = {
        "search": partial(shipped, bank=model.bank),
        "search, norms as a bias": partial(biased, bank=model.bank),
        "Gaussians of the places": model.append_places,
        "Gaussians of the places, zeros included": model.append_whole_places,
    }
    of_cells: dict[str, Append] = {
        "enlarging the map": lambda builder, given: append_enlarged(builder, given, GRID, size),
        "enlarging the map by Resize": lambda builder, given: append_resized(builder, given, builder.int64(*size)),
    }
    whole, features = (open_session(graph, threads=1) for graph in (model.whole(shipped), model.features.model))
    image = {"image": picture(SIDE)}
    works: dict[str, Work] = {
        WHOLE: partial(whole.run, None, image),
        "pixels to patches": partial(features.run, None, image),
    }
    for name, append in of_patches.items():
        works[name] = partial(piece(patches.shape, append, (CELLS,)).run, None, {"given": patches})
    for name, append in of_cells.items():
        works[name] = partial(piece(cells.shape, append, (1, 1, *size)).run, None, {"given": cells})
    return works


def part_rows(times: Mapping[str, Times]) -> list[dict[str, Cell]]:
    middle = {name: float(np.median(values)) for name, values in times.items()}
    return [
        {
            "part": name,
            "processor ms, median": middle[name],
            "least": float(values.min()),
            "of the whole graph (median)": middle[name] / middle[WHOLE],
        }
        for name, values in times.items()
    ]


def judged(folder: Path) -> tuple[list[Frame], list[Frame]]:
    """Good and bad."""
    write_dataset(folder, PartConfig(size=SIDE), JUDGED, seed=SEED)
    parts = open_dataset(folder).test
    good, bad = ([read_frame(one.path) for one in parts if one.is_good == good] for good in (True, False))
    return good, bad


def form_rows(model: Taken, good: Sequence[Frame], bad: Sequence[Frame], rounds: int) -> list[dict[str, Cell]]:
    """One row for each form: its time, and how its distances and scores differ from those as shipped."""
    searches = {name: search(model, form) for name, form in FORMS.items()}
    graphs = {name: open_session(model.whole(form), threads=1) for name, form in FORMS.items()}
    features = open_session(model.features.model)
    patches = [_run(features, frame)[0] for frame in (*good, *bad)]
    timed = {
        "search": {n: partial(one.run, None, {"given": patches[0]}) for n, one in searches.items()},
        "graph": {n: partial(one.run, None, {"image": good[0].pixels}) for n, one in graphs.items()},
    }
    times = {what: interleaved(works, rounds, time.thread_time) for what, works in timed.items()}
    distances = {n: np.array([one.run(None, {"given": cells})[0] for cells in patches]) for n, one in searches.items()}
    scores = {n: np.array([_run(one, frame)[0] for frame in (*good, *bad)]) for n, one in graphs.items()}
    rows = []
    for name in FORMS:
        row: dict[str, Cell] = {"bank": len(model.bank), "search": name}
        for what in _TIMED:
            middle, first = (float(np.median(times[what][one])) for one in (name, SHIPPED))
            row |= {f"{what}: processor ms": middle, f"{what}: least": float(times[what][name].min())}
            row[f"{what}: of shipped"] = middle / first
        row |= differences(distances[name], distances[SHIPPED])
        rows.append(row | told_apart(scores[name], scores[SHIPPED], len(good), model.threshold))
    return rows


def differences(found: FloatArray, exact: FloatArray) -> dict[str, Cell]:
    change = np.abs(found / exact - 1)
    return {
        "same nearest %": 100 * float((change < _SAME).mean()),
        "distance, median change %": 100 * float(np.median(change)),
        "largest %": 100 * float(change.max()),
    }


def told_apart(found: FloatArray, exact: FloatArray, good: int, threshold: float) -> dict[str, Cell]:
    """Of scores, those of the good parts first."""
    return {
        "AUROC": image_metrics(found[:good], found[good:]).auroc,
        "verdicts changed": int(((found < threshold) != (exact < threshold)).sum()),
        "score, largest change %": 100 * float(np.abs(found / exact - 1).max()),
    }


def _run(session: ort.InferenceSession, frame: Frame) -> list[FloatArray]:
    return run_image(session, frame, CONFIG)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--banks", type=int, nargs="+", default=[1_000, 1_500, 4_000, 16_000])
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        good, bad = judged(Path(folder))
    rows: list[dict[str, Cell]] = []
    parts: list[dict[str, Cell]] = []
    for bank in options.banks:
        model = taken(our_model(bank=bank, images=LEARNT))
        rows += form_rows(model, good, bad, options.rounds)
        patches = _run(open_session(model.features.model), good[0])[0]
        found = part_rows(interleaved(parts_of(model, patches), options.rounds, time.thread_time))
        parts += [{"bank": bank} | row for row in found]
        print(*rows[-len(FORMS) :], *parts[-len(found) :], sep="\n", flush=True)
    command = " ".join(["python benchmarks/neighbours.py", *sys.argv[1:]])
    notes = [
        f"{SIDE} x {SIDE} px, one thread. Learnt from {LEARNT} rendered parts; judged are {len(good)} good and "
        f"{len(bad)} bad others, by the model's own threshold. Changes are relative to the search as shipped."
    ]
    write_table(options.out, "neighbours", rows, title="The nearest of the bank", command=command, notes=notes)
    write_table(options.out, "graph-parts", parts, title="What the graph's parts take", command=command, notes=notes)
    return 0


if __name__ == "__main__":
    sys.exit(main())
