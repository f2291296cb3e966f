"""Load a `.sight` file and judge pictures with it."""

import itertools
import math
import os
import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray

from sightline.boxes import find_boxes, verdict_of
from sightline.bundle import Bundle
from sightline.bundle import load as load_bundle
from sightline.datasets.dataset import GOOD
from sightline.errors import BundleError, FrameError, OptionError
from sightline.evaluation.thresholds import p_value
from sightline.explaining import Explainer, Place, Resemblance
from sightline.imaging.decode import decode, read_frame
from sightline.imaging.depth import DepthMap, decode_depth, depth_beside, read_depth
from sightline.models.detector import GraphDetector
from sightline.naming import Named, name
from sightline.products import Limits, limits_of
from sightline.records import AnomalyMap, Box, Defect, FloatArray, Frame, Inspection, Pixels, Timings, Verdict
from sightline.regions import RegionNamer
from sightline.segments import find_segments

Picture = str | os.PathLike[str] | bytes | Pixels | Frame
Depth = str | os.PathLike[str] | bytes | DepthMap
MOST_DEFECTS = 100  # reported per picture, the most anomalous ones; a picture beyond that is bad all over


class Inspector:
    """Judges pictures with one model; safe to use from several threads at once.

    A context manager and an ordinary value: it holds no file open.
    """

    def __init__(self, bundle: Bundle, *, threads: int | None = None, max_megapixels: float = 50.0) -> None:
        self.bundle = bundle
        self.model_id = bundle.model_id
        self.manifest = bundle.manifest
        self._limits = {name: limits_of(bundle, name) for name in bundle.manifest.separate or (None,)}
        self._max_megapixels, self._threads = max_megapixels, threads
        self._detector = GraphDetector(bundle.graph, bundle.manifest.input.bit_depth, threads)
        self._namer = RegionNamer(bundle, threads) if bundle.names else None
        self._explainer: Explainer | None = None  # opened when first asked: most are never

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        del self._detector, self._namer, self._explainer

    @property
    def names(self) -> bool:
        """Whether the model names what it sees, or the regions that it finds."""
        return self.manifest.names_defects or self._namer is not None

    def limits(self, product: str | None = None) -> Limits:
        """What this product's scores are compared with; raises OptionError as `inspect`."""
        return self._limits.get(product) or limits_of(self.bundle, product)

    def score(
        self, frame: Frame, *, product: str | None = None, weights: NDArray[np.uint8] | None = None
    ) -> AnomalyMap:
        """The graph's raw answer; raises FrameError when the frame's depth is not the model's.

        Args:
            weights: as in `embedding`.
        """
        return self._detector.score(frame, self.limits(product).place, weights)

    def embedding(self, picture: Picture, weights: NDArray[np.uint8] | None = None) -> FloatArray:
        """(D,) of length 1: where a picture lies by what it shows, for a model that names; errors as `inspect`.

        Args:
            weights: (H, W) how much each pixel counts, for a classifier of regions; else None.
        """
        return self._detector.embedding(self.frame(picture), weights)

    def inspect(self, picture: Picture, *, depth: Depth | None = None, product: str | None = None) -> Inspection:
        """Judge one picture, with its depth map if the model was trained with depth maps.

        Args:
            picture: a path, an encoded picture, a Frame, or pixels: (H, W), (H, W, 1) grey or (H, W, 3) RGB, uint8
                or uint16.
            depth: its depth map, a path, an encoded picture or (H, W) uint16, 0 where there is no point. None: that of
                the Frame, or for a path the file beside it, NAME.depth.png; a model without depth looks for none.
            product: the part's, where the model has a bank for each of several products; else None.

        Returns:
            The inspection; its verdict is FAULT when the model gave no finite score.

        Raises:
            FrameError: the picture cannot be decoded or does not fit the model; a depth map is missing, does not fit
                the picture, or was given to a model without depth.
            OptionError: the model needs a product and none is given, does not know it, or takes none.
        """
        limits = self.limits(product)
        started = time.perf_counter()
        frame = self.frame(picture, depth=depth)
        decoded = time.perf_counter()
        anomaly = self._detector.score(frame, limits.place)
        judged = time.perf_counter()
        given = isinstance(picture, Frame | np.ndarray)
        timings = Timings(
            decode_ms=None if given else (decoded - started) * 1e3,
            graph_ms=(judged - decoded) * 1e3,
            total_ms=(judged - started) * 1e3,
        )
        inspection = self._inspection(frame, anomaly, timings, limits)
        if self._namer is None or inspection.fault is not None:
            return inspection
        defects = self._namer.named(frame, inspection.defects, anomaly.values)
        timings = replace(timings, total_ms=(time.perf_counter() - started) * 1e3)
        return replace(inspection, defects=defects, timings=timings, named=defects[0].label if defects else GOOD)

    def explain(self, frame: Frame, inspection: Inspection) -> tuple[Resemblance, ...]:
        """What the most anomalous regions of a part looked most like among the good pictures, the worst first.

        At most MOST_EXPLAINED; of a part without a region, its most anomalous place. It takes about as long as to
        judge the part again.

        Args:
            frame: as `frame` gives it.
            inspection: of this very frame by this model; a FAULT explains nothing.

        Raises:
            OptionError, BundleError: as `explainer`. FrameError: the graph fails on the frame.
        """
        explainer = self.explainer()
        if inspection.map is None:
            return ()
        return explainer.explain(frame, _places(inspection.map, inspection.defects, frame))

    def explainer(self) -> Explainer:
        """What `explain` asks; it is opened once.

        Raises:
            OptionError: the model keeps no good pictures. BundleError: what it keeps is damaged.
        """
        if self._explainer is None:
            self._explainer = Explainer(self.bundle, self._threads)
        return self._explainer

    def inspect_all(
        self, pictures: Iterable[Picture], *, workers: int = 2, product: str | None = None
    ) -> Iterator[Inspection]:
        """Judge many pictures, in order; one that cannot be judged gives a FAULT with its reason, never an exception.

        Pictures are taken from the iterable as they are needed, at most 2 x `workers` ahead; all are of one product.

        Raises:
            OptionError: the product is not one that the model can judge, as in `inspect`.
        """
        limits = self.limits(product)
        return self._inspect_all(pictures, max(1, workers), limits)

    def _inspect_all(self, pictures: Iterable[Picture], workers: int, limits: Limits) -> Iterator[Inspection]:
        with ThreadPoolExecutor(workers) as pool:
            waiting: deque[Future[Inspection]] = deque()
            source = iter(pictures)
            while True:
                waiting.extend(
                    pool.submit(self._inspect_or_fault, p, limits) for p in _take(source, 2 * workers - len(waiting))
                )
                if not waiting:
                    return
                yield waiting.popleft().result()

    def _inspect_or_fault(self, picture: Picture, limits: Limits) -> Inspection:
        try:
            return self.inspect(picture, product=limits.product)
        except FrameError as error:
            return self._fault(_source(picture), str(error), limits)

    def frame(self, picture: Picture, *, depth: Depth | None = None) -> Frame:
        """What `inspect` judges: the picture decoded, with its depth map; same arguments, same errors."""
        frame = self._decoded(picture)
        if depth is None and self.manifest.input.depth and isinstance(picture, str | os.PathLike):
            depth = depth_beside(Path(picture))
        return frame if depth is None else replace(frame, depth=self._depth(depth))

    def _depth(self, depth: Depth) -> DepthMap:
        if isinstance(depth, np.ndarray):
            return depth
        if isinstance(depth, bytes):
            return decode_depth(depth, max_megapixels=self._max_megapixels)
        return read_depth(Path(depth), max_megapixels=self._max_megapixels)

    def _decoded(self, picture: Picture) -> Frame:
        if isinstance(picture, Frame):
            return picture
        if isinstance(picture, np.ndarray):
            pixels = picture[:, :, None] if picture.ndim == 2 else picture
            return Frame(pixels=pixels, bit_depth=16 if pixels.dtype == np.uint16 else 8)
        if isinstance(picture, bytes):
            return decode(picture, max_megapixels=self._max_megapixels)
        return read_frame(Path(picture), max_megapixels=self._max_megapixels)

    def _inspection(self, frame: Frame, anomaly: AnomalyMap, timings: Timings, limits: Limits) -> Inspection:
        thresholds = limits.thresholds
        if not _is_finite(anomaly):
            reason = f"{frame.source or 'picture'}: the model's score is not a finite number. Check the model."
            return self._fault(frame.source, reason, limits, frame)
        # written so that doubt rejects: a score that reaches a threshold is never below it
        verdict = Verdict.PASS if anomaly.score < thresholds.reject else Verdict.REJECT
        if thresholds.review is not None and thresholds.review <= anomaly.score < thresholds.reject:
            verdict = Verdict.REVIEW
        marked = thresholds.reject if thresholds.review is None else thresholds.review
        if self.manifest.segments is not None or self.manifest.locating is not None:
            return self._drawn(frame, anomaly, verdict, marked, timings, limits)
        named, shares = None, None
        if (naming := self.manifest.naming) is not None and anomaly.probabilities is not None:
            named = name(naming, thresholds, anomaly.probabilities, anomaly.score, anomaly.similarities)
            verdict, marked = named.verdict, _half_of_peak(named, anomaly.score)
            learnt = (rule.name for rule in naming.classes)
            shares = dict(zip(learnt, map(float, anomaly.probabilities), strict=True))
        return Inspection(
            source=frame.source,
            verdict=verdict,
            score=anomaly.score,
            threshold=thresholds.reject,
            review_threshold=thresholds.review,
            p_value=p_value(anomaly.score, limits.good_scores) if named is None or limits.good_scores.size else None,
            model_id=self.model_id,
            width=frame.width,
            height=frame.height,
            defects=tuple(
                defect if named is None else replace(defect, label=named.label, confidence=named.confidence)
                for defect in find_defects(anomaly.values, marked, frame.height, frame.width)
            ),
            map=anomaly.values,
            timings=timings,
            product=limits.product,
            probabilities=shares,
        )

    def _drawn(
        self, frame: Frame, anomaly: AnomalyMap, verdict: Verdict, marked: float, timings: Timings, limits: Limits
    ) -> Inspection:
        """By a model that outlines defects, or finds them as boxes.

        Outlines only of what is not passed: a part is judged as a whole, and one that passed has no defect.
        """
        started = time.perf_counter()
        manifest = self.manifest
        defects, segments = tuple[Defect, ...](), None
        if manifest.locating is not None and anomaly.boxes is not None:
            size = (frame.height, frame.width)
            defects = find_boxes(manifest.locating, limits.thresholds, anomaly.boxes, manifest.working_size, size)
            verdict = verdict_of(manifest.locating, verdict, anomaly.boxes)
        elif verdict is not Verdict.PASS:
            defects, segments = find_segments(frame, anomaly, manifest, marked)
        spent = (time.perf_counter() - started) * 1e3
        return Inspection(
            source=frame.source,
            verdict=verdict,
            score=anomaly.score,
            threshold=limits.thresholds.reject,
            review_threshold=limits.thresholds.review,
            p_value=p_value(anomaly.score, limits.good_scores) if limits.good_scores.size else None,
            model_id=self.model_id,
            width=frame.width,
            height=frame.height,
            defects=defects,
            map=anomaly.values,
            timings=replace(timings, total_ms=timings.total_ms + spent),
            named=defects[0].label if defects else GOOD,
            segments=segments,
            boxes=anomaly.boxes,
        )

    def _fault(self, source: str, reason: str, limits: Limits, frame: Frame | None = None) -> Inspection:
        return Inspection(
            source=source,
            verdict=Verdict.FAULT,
            score=None,
            threshold=limits.thresholds.reject,
            review_threshold=limits.thresholds.review,
            p_value=None,
            model_id=self.model_id,
            width=frame.width if frame else None,
            height=frame.height if frame else None,
            fault=reason,
            product=limits.product,
        )


def load(path: str | os.PathLike[str], *, threads: int | None = None, max_megapixels: float = 50.0) -> Inspector:
    """Load a model and make it ready to judge.

    Args:
        threads: that one graph run may use; None: every core.
        max_megapixels: the largest picture that is decoded.

    Raises:
        BundleError: the file is missing, damaged, altered, of another version, or its graph cannot be run here.
    """
    bundle = load_bundle(path)
    try:
        return Inspector(bundle, threads=threads, max_megapixels=max_megapixels)
    except OptionError as error:
        raise BundleError(f"{path}: {error}") from error


def find_defects(values: FloatArray, threshold: float, height: int, width: int) -> tuple[Defect, ...]:
    """Connected regions (8 neighbours) of a map that reach the threshold, most anomalous first, in frame pixels.

    Args:
        values: (h, w) float32 over the whole frame.
        height, width: of the frame, px.
    """
    reached = np.asarray(values >= np.float32(threshold), np.uint8)
    count, regions, boxes, _ = cv2.connectedComponentsWithStats(reached, connectivity=8)
    if count == 1:
        return ()
    peaks = np.full(count, -np.inf, np.float32)
    np.maximum.at(peaks, regions.ravel().astype(np.int64), values.ravel())
    rows, columns = values.shape
    order = 1 + np.argsort(-peaks[1:], kind="stable")[:MOST_DEFECTS]
    return tuple(
        _defect(boxes[region], float(peaks[region]), Fraction(height, rows), Fraction(width, columns))
        for region in order
    )


def _places(values: FloatArray, defects: tuple[Defect, ...], frame: Frame) -> list[Place]:
    """The most anomalous point of each region, or of the whole map where there is none."""
    rows, columns = values.shape
    boxes = [defect.box for defect in defects] or [Box(x=0, y=0, width=frame.width, height=frame.height)]
    places = []
    for box in boxes:
        top, left = box.y * rows // frame.height, box.x * columns // frame.width
        bottom, right = (
            -(-(box.y + box.height) * rows // frame.height),
            -(-(box.x + box.width) * columns // frame.width),
        )
        inside = values[top:bottom, left:right]
        row, column = np.unravel_index(int(inside.argmax()), inside.shape)
        place = ((top + int(row) + 0.5) / rows, (left + int(column) + 0.5) / columns)
        places.append(Place(region=box, row=place[0], column=place[1], peak=float(inside.max())))
    return places


def _defect(stats: np.ndarray, peak: float, down: Fraction, across: Fraction) -> Defect:
    """`stats` are in cells of the map; fractions, because a rounded product can reach a pixel beyond the frame."""
    x, y, width, height, area = (int(value) for value in stats)
    left, top = math.floor(x * across), math.floor(y * down)
    right, bottom = math.ceil((x + width) * across), math.ceil((y + height) * down)
    box = Box(x=left, y=top, width=right - left, height=bottom - top)
    return Defect(box=box, area_px=max(1, round(area * down * across)), peak=peak)


def _is_finite(anomaly: AnomalyMap) -> bool:
    parts = [np.float32(anomaly.score), anomaly.values, anomaly.probabilities, anomaly.similarities, anomaly.masks]
    if anomaly.boxes is not None:
        parts += [anomaly.boxes.corners, anomaly.boxes.confidences]
    return all(np.isfinite(part).all() for part in parts if part is not None)


def _half_of_peak(named: Named, score: float) -> float:
    """Where a classifier's map, whose peak is the score, shows the defect named; nothing of a good picture."""
    return math.inf if named.label == GOOD else score / 2


def _take(source: Iterator[Picture], count: int) -> list[Picture]:
    return list(itertools.islice(source, count))


def _source(picture: Picture) -> str:
    if isinstance(picture, Frame):
        return picture.source
    return str(picture) if isinstance(picture, str | os.PathLike) else ""
