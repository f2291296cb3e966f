"""Judging: doubt rejects, nothing that is not a number passes, and the same picture always gets the same answer."""

import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

import sightline
from sightline import bundle
from sightline.errors import BundleError, FrameError
from sightline.imaging.writing import write_png
from sightline.inspector import Inspector, Picture
from sightline.manifest import Calibration, InputSpec, Manifest, Provenance, Thresholds
from sightline.models.backbone import load_backbone
from sightline.models.features import FeatureConfig
from sightline.models.patchcore import PatchCoreConfig, fit
from sightline.records import Box, Frame, Inspection, Verdict

FLOAT = TensorProto.FLOAT
Node = tuple[str, list[str], str]
SCORE: Node = ("ReduceMax", ["map"], "score")
READOUT: list[Node] = [("Identity", ["grey"], "map"), SCORE]  # the map is the brightest channel, the score its maximum


def graph_of(nodes: list[Node], *, bit_depth: int = 8, outputs: tuple[str, ...] = ("score", "map")) -> bytes:
    """`grey`, (H, W) float32, is the highest channel; constants are `zero`, `ten` and `five_cells`."""
    start = [
        helper.make_node("Cast", ["image"], ["pixels"], to=FLOAT),
        helper.make_node("ReduceMax", ["pixels"], ["grey"], axes=[2], keepdims=0),
    ]
    rest = [helper.make_node(op, inputs, [output]) for op, inputs, output in nodes]
    for node in rest:
        if node.op_type == "ReduceMax":
            node.attribute.append(helper.make_attribute("keepdims", 0))
    kind = TensorProto.UINT8 if bit_depth == 8 else TensorProto.UINT16
    ports = {
        "score": helper.make_tensor_value_info("score", FLOAT, []),
        "map": helper.make_tensor_value_info("map", FLOAT, ["h", "w"]),
    }
    graph = helper.make_graph(
        [*start, *rest],
        "small",
        [helper.make_tensor_value_info("image", kind, ["h", "w", "c"])],
        [ports[name] for name in outputs],
        [
            numpy_helper.from_array(np.array(0, np.float32), "zero"),
            numpy_helper.from_array(np.array(10, np.float32), "ten"),
            numpy_helper.from_array(np.array([1, 5], np.int64), "five_cells"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return bytes(model.SerializeToString())


def manifest_of(
    graph: bytes,
    *,
    reject: float = 100.0,
    review: float | None = None,
    bit_depth: int = 8,
    good_scores: tuple[float, ...] = (1.0, 2.0, 3.0, 4.0),
) -> Manifest:
    return Manifest(
        sightline_version="0.1.0",
        method="patchcore",
        graph_sha256=hashlib.sha256(graph).hexdigest(),
        input=InputSpec(dtype="uint8" if bit_depth == 8 else "uint16", bit_depth=bit_depth),
        working_size=(64, 96),
        tile=None,
        labels=("good", "anomaly"),
        thresholds=Thresholds(reject=reject, review=review, rule="by hand", promise="none", max_overkill=None),
        calibration=Calibration(good_scores=good_scores, source="by hand"),
        provenance=Provenance(
            dataset="none",
            images=len(good_scores),
            dataset_sha256="0" * 64,
            seed=0,
            config={},
            backbone="none",
            backbone_sha256="0" * 64,
        ),
    )


Make = Callable[..., Inspector]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """An inspector of a hand-built graph, by way of a `.sight` file; the readout unless told otherwise."""

    def build(nodes: list[Node] | None = None, *, bit_depth: int = 8, **limits: Any) -> Inspector:
        graph = graph_of(nodes or READOUT, bit_depth=bit_depth)
        path = tmp_path / "small.sight"
        bundle.save(path, graph, manifest_of(graph, bit_depth=bit_depth, **limits))
        return sightline.load(path)

    return build


def grey(*rows: list[int]) -> NDArray[np.uint8]:
    return np.array(rows, np.uint8)


def beyond(value: float, towards: float) -> float:
    """The float32 next to `value`."""
    return float(np.nextafter(np.float32(value), np.float32(towards)))


# --- verdicts


@pytest.mark.parametrize(
    ("reject", "expected"),
    [
        pytest.param(beyond(100, 200), Verdict.PASS, id="just below the threshold"),
        pytest.param(100.0, Verdict.REJECT, id="at the threshold"),
        pytest.param(beyond(100, 0), Verdict.REJECT, id="just above the threshold"),
    ],
)
def test_a_score_that_reaches_the_threshold_is_rejected(make: Make, reject: float, expected: Verdict) -> None:
    inspection = make(reject=reject).inspect(grey([7, 100, 50]))
    assert inspection.score == 100.0
    assert inspection.verdict is expected
    assert inspection.threshold == reject
    assert inspection.review_threshold is None
    assert len(inspection.defects) == (expected is Verdict.REJECT)  # the map says the same as the score


@pytest.mark.parametrize(
    ("review", "reject", "expected"),
    [
        pytest.param(beyond(100, 200), 120.0, Verdict.PASS, id="just below review"),
        pytest.param(100.0, 120.0, Verdict.REVIEW, id="at review"),
        pytest.param(beyond(100, 0), 120.0, Verdict.REVIEW, id="just above review"),
        pytest.param(50.0, beyond(100, 200), Verdict.REVIEW, id="just below reject"),
        pytest.param(50.0, 100.0, Verdict.REJECT, id="at reject"),
        pytest.param(100.0, 100.0, Verdict.REJECT, id="an empty band"),
        pytest.param(-5.0, 100.5, Verdict.REVIEW, id="a band below zero"),
    ],
)
def test_a_score_within_the_band_is_for_a_person(make: Make, review: float, reject: float, expected: Verdict) -> None:
    inspection = make(review=review, reject=reject).inspect(grey([7, 100, 50]))
    assert inspection.verdict is expected
    assert inspection.review_threshold == review
    assert bool(inspection.defects) == (expected is not Verdict.PASS)  # what a person should look at is marked


@pytest.mark.parametrize(
    "nodes",
    [
        pytest.param([("Div", ["zero", "grey"], "map"), SCORE], id="0 / 0: both NaN"),
        pytest.param([("Div", ["ten", "grey"], "map"), SCORE], id="10 / 0: both infinite"),
        pytest.param([("Log", ["grey"], "map"), SCORE], id="log 0: the map is -inf somewhere, the score is finite"),
        pytest.param([("Identity", ["grey"], "map"), ("Div", ["zero", "zero"], "score")], id="only the score is NaN"),
        pytest.param([("Identity", ["grey"], "map"), ("Log", ["zero"], "score")], id="the score is -inf"),
        pytest.param([("Div", ["zero", "grey"], "map"), ("Identity", ["zero"], "score")], id="only the map is NaN"),
    ],
)
def test_what_is_not_a_finite_number_is_a_fault_and_never_passes(make: Make, nodes: list[Node]) -> None:
    frame = Frame(pixels=grey([0, 100, 50])[:, :, None], source="cam 1")
    inspection = make(nodes, reject=1e6).inspect(frame)
    assert inspection.verdict is Verdict.FAULT
    assert inspection.score is None
    assert inspection.p_value is None
    assert inspection.fault == "cam 1: the model's score is not a finite number. Check the model."
    assert (inspection.height, inspection.width) == (1, 3)


@pytest.mark.parametrize(
    ("top", "expected"),
    [
        pytest.param(0, 5 / 5, id="below all: all four are at least as unusual"),
        pytest.param(1, 5 / 5, id="ties count"),
        pytest.param(2, 4 / 5, id="in between"),
        pytest.param(4, 2 / 5, id="the highest"),
        pytest.param(5, 1 / 5, id="above all: never zero"),
    ],
)
def test_the_p_value_is_the_share_of_good_parts_at_least_as_unusual(make: Make, top: int, expected: float) -> None:
    assert make().inspect(grey([0, top])).p_value == expected


def test_the_inspection_tells_all_there_is_to_know(make: Make) -> None:
    inspector = make(reject=50.0)
    inspection = inspector.inspect(grey([0, 10, 20], [30, 40, 60]))
    assert (inspection.height, inspection.width) == (2, 3)
    assert inspection.model_id == inspector.model_id == inspector.bundle.model_id
    assert inspection.fault is None
    assert inspection.map is not None
    np.testing.assert_array_equal(inspection.map, [[0, 10, 20], [30, 40, 60]])
    assert [defect.box for defect in inspection.defects] == [Box(x=2, y=1, width=1, height=1)]
    assert inspection.defects[0].peak == 60


# --- pictures of all kinds


@pytest.fixture
def photo(tmp_path: Path) -> tuple[Path, NDArray[np.uint8]]:
    pixels = np.random.default_rng(0).integers(0, 90, (5, 7, 3), dtype=np.uint8)
    pixels[3, 2, 1] = 91
    write_png(tmp_path / "part 1.png", pixels)
    return tmp_path / "part 1.png", pixels


def test_every_way_to_give_a_picture_gives_the_same_answer(make: Make, photo: tuple[Path, NDArray[np.uint8]]) -> None:
    path, pixels = photo
    inspector = make()
    pictures: dict[str, Picture] = {
        "str": str(path),
        "path": path,
        "bytes": path.read_bytes(),
        "pixels": pixels,
        "frame": Frame(pixels=pixels, source="cam 1"),
    }
    inspections = {kind: inspector.inspect(picture) for kind, picture in pictures.items()}
    assert {inspection.score for inspection in inspections.values()} == {91.0}
    for inspection in inspections.values():
        assert inspection.map is not None
        np.testing.assert_array_equal(inspection.map, pixels.max(axis=2))
    sources = {kind: inspection.source for kind, inspection in inspections.items()}
    assert sources == {"str": str(path), "path": str(path), "bytes": "", "pixels": "", "frame": "cam 1"}
    timings = {kind: inspection.timings for kind, inspection in inspections.items()}
    for kind, timing in timings.items():
        assert timing is not None
        assert (timing.decode_ms is None) == (kind in ("pixels", "frame"))
        assert timing.total_ms >= timing.graph_ms >= 0


def test_grey_may_have_two_axes_or_three(make: Make) -> None:
    inspector = make()
    pixels = grey([1, 2, 3], [4, 5, 6])
    assert inspector.inspect(pixels).score == inspector.inspect(pixels[:, :, None]).score == 6


@pytest.mark.parametrize("given_depth", [12, 16], ids=["declared", "as files have it"])
def test_a_sixteen_bit_model_sees_all_bits(make: Make, given_depth: int) -> None:
    inspector = make(bit_depth=12, reject=4000.0)
    pixels = np.array([[0, 257, 4095]], np.uint16)
    frame = Frame(pixels=pixels[:, :, None], bit_depth=given_depth)
    assert inspector.inspect(pixels).score == inspector.inspect(frame).score == 4095
    assert inspector.inspect(pixels).verdict is Verdict.REJECT


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((2, 2), np.float32),
        np.zeros((2, 2), np.int32),
        np.zeros((2, 2), np.bool_),
        np.zeros((2, 2), ">u2"),
        np.zeros((2, 2, 2), np.uint8),
        np.zeros((2, 2, 4), np.uint8),
        np.zeros(4, np.uint8),
        np.zeros((), np.uint8),
        np.zeros((1, 2, 2, 3), np.uint8),
        np.zeros((0, 2), np.uint8),
        np.zeros((2, 2), np.uint16),
    ],
    ids=lambda pixels: f"{pixels.dtype.str} {pixels.shape}",
)
def test_pixels_that_do_not_fit_are_a_frame_error(make: Make, pixels: Any) -> None:
    with pytest.raises(FrameError):
        make().inspect(pixels)


def test_eight_bits_do_not_fit_a_sixteen_bit_model(make: Make) -> None:
    with pytest.raises(FrameError, match="has 8 bits per channel, the model was trained on 12"):
        make(bit_depth=12).inspect(grey([1, 2]))


def test_a_picture_larger_than_the_limit_is_refused(make: Make, photo: tuple[Path, NDArray[np.uint8]]) -> None:
    path, _ = photo
    with pytest.raises(FrameError, match="part 1"):
        Inspector(make().bundle, max_megapixels=1e-5).inspect(path)


# --- many pictures


def test_inspections_come_in_the_order_of_the_pictures(make: Make) -> None:
    inspector = make()
    # large and small ones by turns, so that the later ones are done first
    pictures = [np.full((1 if top % 2 else 1500, 200), top, np.uint8) for top in range(40)]
    for workers in (1, 3, 8):
        assert [i.score for i in inspector.inspect_all(pictures, workers=workers)] == list(range(40))


def test_what_cannot_be_judged_is_a_fault_with_its_reason_and_the_others_go_on(
    make: Make, tmp_path: Path, photo: tuple[Path, NDArray[np.uint8]]
) -> None:
    path, _ = photo
    (tmp_path / "text.png").write_text("hello")
    (tmp_path / "cut.png").write_bytes(path.read_bytes()[:-20])
    deep = Frame(pixels=np.zeros((2, 2, 1), np.uint16), bit_depth=12, source="cam 2")
    wrong: list[Picture] = [
        str(tmp_path / "none.png"),
        tmp_path / "text.png",
        tmp_path / "cut.png",
        tmp_path,
        deep,
        b"",
    ]
    pictures = [item for picture in wrong for item in (picture, path)]
    inspections = list(make().inspect_all(pictures))
    assert [i.verdict for i in inspections] == [Verdict.FAULT, Verdict.PASS] * len(wrong)
    faults = inspections[::2]
    assert [i.source for i in faults] == [*(str(p) for p in wrong[:4]), "cam 2", ""]
    for inspection in faults:
        assert inspection.fault
        assert inspection.fault.isprintable()
        assert inspection.source in inspection.fault
        assert inspection.score is inspection.p_value is inspection.width is None


def test_a_graph_that_fails_on_a_picture_is_a_fault(make: Make) -> None:
    inspector = make([("Reshape", ["grey", "five_cells"], "map"), SCORE])
    fits, fails = grey([1, 2, 3, 4, 5]), grey([1, 2])
    assert [i.verdict for i in inspector.inspect_all([fits, fails, fits])] == ["PASS", "FAULT", "PASS"]
    with pytest.raises(FrameError, match="the model cannot judge it"):
        inspector.inspect(fails)


def test_pictures_are_taken_as_they_are_needed(make: Make) -> None:
    taken = 0

    def pictures() -> Iterator[Picture]:
        nonlocal taken
        for top in range(100):
            taken += 1
            yield grey([top])

    inspections = make().inspect_all(pictures(), workers=3)
    assert taken == 0
    for done in range(1, 31):
        assert next(inspections).score == done - 1
        assert taken <= done - 1 + 2 * 3
    inspections.close()  # type: ignore[attr-defined]  # it is a generator; the rest is left alone
    assert taken <= 36


@pytest.mark.parametrize("workers", [0, -3])
def test_no_workers_means_one_and_not_that_nothing_is_judged(make: Make, workers: int) -> None:
    assert [i.score for i in make().inspect_all([grey([3]), grey([4])], workers=workers)] == [3, 4]


def test_no_pictures_give_no_inspections(make: Make) -> None:
    assert list(make().inspect_all([])) == []


# --- a trained model


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """PatchCore with the backbone that ships, learnt from eight noisy frames."""
    rng = np.random.default_rng(0)
    frames = [Frame(pixels=rng.integers(90, 160, (80, 120, 3), dtype=np.uint8)) for _ in range(8)]
    config = FeatureConfig(height=64, width=96, dimensions=16)
    fitted = fit(frames, load_backbone(), config, PatchCoreConfig(bank_limits=(100, 100)))
    graph = fitted.graph.SerializeToString(deterministic=True)
    good = tuple(sorted(float(score) for score in fitted.good_scores))
    path = tmp_path_factory.mktemp("trained") / "trained.sight"
    bundle.save(path, graph, manifest_of(graph, reject=good[-1], good_scores=good))
    return path


@pytest.fixture(scope="module")
def pictures() -> list[NDArray[np.uint8]]:
    rng = np.random.default_rng(1)
    shapes = [(80, 120, 3), (64, 96, 1), (200, 40, 3), (33, 301, 3)] * 6
    return [rng.integers(0, 256, shape, dtype=np.uint8) for shape in shapes]


def bits(inspection: Inspection) -> tuple[Any, ...]:
    assert inspection.map is not None
    return inspection.verdict, inspection.score, inspection.p_value, inspection.defects, inspection.map.tobytes()


def test_the_same_picture_gets_the_same_bits_every_time(trained: Path, pictures: list[NDArray[np.uint8]]) -> None:
    inspector, again = sightline.load(trained), sightline.load(trained)
    for picture in pictures[:4]:
        assert bits(inspector.inspect(picture)) == bits(inspector.inspect(picture)) == bits(again.inspect(picture))


def test_one_inspector_serves_eight_threads_and_they_agree_to_the_bit(
    trained: Path, pictures: list[NDArray[np.uint8]]
) -> None:
    inspector = sightline.load(trained)
    alone = [bits(inspector.inspect(picture)) for picture in pictures]
    with ThreadPoolExecutor(8) as pool:
        together = [bits(i) for i in pool.map(inspector.inspect, pictures)]
    assert together == alone
    assert [bits(i) for i in inspector.inspect_all(pictures, workers=8)] == alone


def test_the_pixels_given_are_not_changed(trained: Path, pictures: list[NDArray[np.uint8]]) -> None:
    before = pictures[0].copy()
    sightline.load(trained).inspect(pictures[0])
    np.testing.assert_array_equal(pictures[0], before)


def test_an_inspector_is_a_context_manager(trained: Path, pictures: list[NDArray[np.uint8]]) -> None:
    with sightline.load(trained, threads=1) as inspector:
        assert inspector.inspect(pictures[0]).score is not None
        assert inspector.score(Frame(pixels=pictures[0])).score == inspector.inspect(pictures[0]).score


# --- loading


def test_outputs_are_told_apart_by_name_and_not_by_order(tmp_path: Path) -> None:
    graph = graph_of(READOUT, outputs=("map", "score"))
    bundle.save(tmp_path / "turned.sight", graph, manifest_of(graph))
    assert sightline.load(tmp_path / "turned.sight").inspect(grey([1, 9, 5])).score == 9


def test_a_graph_that_this_runtime_cannot_run_is_a_bundle_error(tmp_path: Path) -> None:
    graph = graph_of([("Add", ["image", "grey"], "map"), SCORE])  # of two types, which only the runtime minds
    path = tmp_path / "mixed.sight"
    bundle.save(path, graph, manifest_of(graph))
    with pytest.raises(BundleError, match=r"mixed\.sight: ONNX Runtime .* cannot run this graph") as caught:
        sightline.load(path)
    assert str(caught.value).isprintable()


def test_a_missing_file_is_a_bundle_error(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="no such file"):
        sightline.load(tmp_path / "none.sight")


def test_a_changed_threshold_changes_verdict_and_model_id_and_no_score(make: Make, tmp_path: Path) -> None:
    before = make(reject=100.0)
    manifest = before.manifest
    stricter = replace(manifest, thresholds=replace(manifest.thresholds, reject=10.0))
    bundle.save(tmp_path / "stricter.sight", before.bundle.graph, stricter)
    after = sightline.load(tmp_path / "stricter.sight")
    one, two = before.inspect(grey([20])), after.inspect(grey([20]))
    assert (one.verdict, two.verdict) == (Verdict.PASS, Verdict.REJECT)
    assert one.score == two.score
    assert one.model_id != two.model_id


def test_map_and_frame_of_a_picture_agree_on_where_a_defect_is(trained: Path) -> None:
    pixels = np.random.default_rng(2).integers(90, 160, (400, 600, 3), dtype=np.uint8)
    cv2.rectangle(pixels, (420, 100), (480, 160), (255, 0, 0), -1)
    inspection = sightline.load(trained).inspect(pixels)
    assert inspection.verdict is Verdict.REJECT
    box = inspection.defects[0].box
    assert box.x <= 450 <= box.x + box.width
    assert box.y <= 130 <= box.y + box.height


def test_the_readout_is_the_graph_that_these_tests_think_it_is() -> None:
    onnx.checker.check_model(onnx.load_model_from_string(graph_of(READOUT)), full_check=True)
