"""What the process of one run does: learn, judge the test pictures once, time the graph, report one row."""

import math
import resource
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import peer
from bursts import burst
from runs import DONE, Run
from sightline.cli.evaluate import evaluate_model
from sightline.datasets.dataset import Dataset, Sample
from sightline.datasets.frames import FrameFiles
from sightline.datasets.opening import open_dataset
from sightline.errors import InspectionError, OptionError
from sightline.evaluation.results import Evaluation
from sightline.evaluation.run import evaluate
from sightline.imaging.decode import read_frame
from sightline.inspector import load
from sightline.models.detector import GraphDetector
from sightline.records import Detector, Frame, Inspection, Verdict
from sightline.training import TrainConfig, train
from tables import Cell

_TIMED_FRAMES, _BURSTS = 4, 5


def measure(run: Run) -> dict[str, Cell]:
    """The cells of the run's row; a run that cannot be made has an outcome that says why, and no figures."""
    try:
        dataset = open_dataset(Path(run.root))
        cells = _measure_peer(run, dataset, Path(run.teacher)) if run.teacher else _measure_ours(run, dataset)
    except OptionError as error:  # an extra that is not installed, a size that does not suit
        return {"outcome": f"not run: {error}"}
    except ModuleNotFoundError as error:
        return {"outcome": f"not run: {error.name} is not installed"}
    except InspectionError as error:
        return {"outcome": f"failed: {error}"}
    except MemoryError:
        return {"outcome": "failed: out of memory"}
    return {"outcome": DONE, **cells, "peak MB": round(peak_bytes() / 1e6)}


def peak_bytes() -> int:
    """The most memory that this process has had resident.

    What getrusage says begins, on Linux, with the size of the process that started this one; VmHWM does not.
    """
    try:
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024


def graph_ms(detector: Detector, frames: Sequence[Frame]) -> float:
    """Median over bursts on decoded frames, in which nothing else runs and the first runs do not count."""
    times = [burst(partial(detector.score, frames[turn % len(frames)])) for turn in range(_BURSTS)]
    return float(np.median(np.concatenate(times)))


def _measure_ours(run: Run, dataset: Dataset) -> dict[str, Cell]:
    method: Any = run.method  # checked by TrainConfig: methods come and go
    with tempfile.TemporaryDirectory() as scratch:
        model = Path(scratch) / "model.sight"
        started = time.perf_counter()
        trained = train(dataset, model, TrainConfig(method=method, seed=run.seed, size=run.size, bank=run.bank))
        seconds = time.perf_counter() - started
        inspector = load(model)
        size = model.stat().st_size
    found = evaluate_model(inspector, dataset)
    height, width = inspector.manifest.working_size
    return _figures(found) | {
        "working size": f"{width} x {height}",
        "escapes": f"{found.escape.count} of {found.escape.total}",
        "overkill": f"{found.overkill.count} of {found.overkill.total}",
        "good images": trained.images,
        "fit s": round(seconds, 1),
        "graph ms": round(graph_ms(inspector, _some_frames(dataset)), 2),
        "file MB": round(size / 1e6, 2),
    }


def _measure_peer(run: Run, dataset: Dataset, teacher: Path) -> dict[str, Cell]:
    frames = FrameFiles(paths=[sample.path for sample in dataset.train_good])
    started = time.perf_counter()
    graph = peer.fit(frames, teacher, run.coreset, run.seed).SerializeToString()
    seconds = time.perf_counter() - started
    timed = _some_frames(dataset)
    detector = GraphDetector(graph, timed[0].bit_depth)
    found = evaluate(
        _judged(detector, dataset),
        model_id="peer",
        method=run.method,
        dataset=dataset.name,
        threshold=math.inf,  # the published method has none, so there are no escapes and overkills to count
        review_threshold=None,
    )
    return _figures(found) | {
        "working size": f"{peer.SIDE_PX} x {peer.SIDE_PX}",
        "good images": len(frames),
        "fit s": round(seconds, 1),
        "graph ms": round(graph_ms(detector, timed), 2),
        "file MB": round(len(graph) / 1e6, 2),
    }


def _figures(found: Evaluation) -> dict[str, Cell]:
    return {
        "image AUROC": found.image.auroc,
        "AP": found.image.average_precision,
        "recall at 1 % overkill": found.image.recall_at_1pct_overkill,
        "pixel AUROC": found.pixel.auroc if found.pixel else None,
        "AUPRO": found.pixel.aupro if found.pixel else None,
        "not judged": len(found.unjudged),
    }


def _judged(detector: Detector, dataset: Dataset) -> Iterator[tuple[Sample, Inspection]]:
    for sample in dataset.test:
        frame = read_frame(sample.path)
        anomaly = detector.score(frame)
        yield (
            sample,
            Inspection(
                source=str(sample.path),
                verdict=Verdict.PASS,
                score=anomaly.score,
                threshold=math.inf,
                review_threshold=None,
                p_value=None,
                model_id="peer",
                width=frame.width,
                height=frame.height,
                map=anomaly.values,
            ),
        )


def _some_frames(dataset: Dataset) -> list[Frame]:
    """A few test pictures, spread over the kinds."""
    step = max(1, len(dataset.test) // _TIMED_FRAMES)
    return [read_frame(sample.path) for sample in dataset.test[::step][:_TIMED_FRAMES]]
