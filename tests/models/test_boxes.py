"""The parts of a detector of boxes: who learns what, how pictures move, what the graph says."""

from collections.abc import Callable

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from sightline.errors import OptionError  # noqa: E402
from sightline.evaluation.average_precision import overlaps  # noqa: E402
from sightline.models.augmentation import PRESETS  # noqa: E402
from sightline.models.backbone import Backbone  # noqa: E402
from sightline.models.box_confidence import Judged, best_f1, calibration, judged_boxes  # noqa: E402
from sightline.models.box_config import BoxLearningConfig  # noqa: E402
from sightline.models.box_detector import BoxDetector, BoxHead, check_strides, corners  # noqa: E402
from sightline.models.box_graph import MOST_BOXES, Suppressor, whole_model  # noqa: E402
from sightline.models.box_loss import assigned, box_loss, generalised_overlap, overlap  # noqa: E402
from sightline.models.box_views import Move, drawn_move, moved, moved_boxes  # noqa: E402
from sightline.models.detector import GraphDetector  # noqa: E402
from sightline.models.features import FeatureConfig  # noqa: E402
from sightline.models.network import GraphNetwork  # noqa: E402
from sightline.records import Boxes, Frame  # noqa: E402

SIZE = (64, 96)  # height, width


@pytest.fixture(scope="module")
def detector(patchy: Backbone) -> BoxDetector:
    torch.manual_seed(0)
    network = GraphNetwork(patchy)
    made = BoxDetector(network, BoxHead(network.channels, 3)).eval()
    torch.nn.init.normal_(made.head.logits.weight, std=2)
    torch.nn.init.zeros_(made.head.logits.bias)
    torch.nn.init.normal_(made.head.sides.weight, std=0.5)
    return made


@pytest.fixture(scope="module")
def graph(detector: BoxDetector) -> bytes:
    features = FeatureConfig(height=SIZE[0], width=SIZE[1])
    return bytes(whole_model(detector, features, 1.5, 0.5).SerializeToString())


def some_frame(seed: int = 0) -> Frame:
    return Frame(pixels=np.random.default_rng(seed).integers(0, 256, (*SIZE, 3), np.uint8))


def test_the_graph_says_what_the_network_says(detector: BoxDetector, graph: bytes) -> None:
    frame = some_frame()
    found = GraphDetector(graph, 8).score(frame)
    image = torch.from_numpy(frame.pixels).permute(2, 0, 1)[None].float() / 255
    with torch.inference_mode():
        logits, places = detector(image)
    confidences = (1.5 * logits + 0.5).sigmoid().numpy()[0]
    edges = np.array([SIZE[1], SIZE[0]] * 2)
    assert found.boxes is not None
    assert found.score == pytest.approx(confidences.max(), abs=1e-5)
    for corner, place, sure in zip(found.boxes.corners, found.boxes.classes, found.boxes.confidences, strict=True):
        cell = np.abs(confidences[:, place] - sure).argmin()
        np.testing.assert_allclose(sure, confidences[cell, place], atol=1e-5)
        np.testing.assert_allclose(corner, places.numpy()[0, cell].clip(0, edges), atol=1e-3)


def test_boxes_are_bounded_sorted_single_and_in_the_picture(graph: bytes) -> None:
    found = GraphDetector(graph, 8).score(some_frame(1)).boxes
    assert found is not None
    assert 1 < len(found) <= MOST_BOXES
    assert (np.diff(found.confidences) <= 0).all()
    assert (found.corners >= 0).all()
    assert (found.corners <= [SIZE[1], SIZE[0]] * 2).all()
    for place in range(3):
        own = found.only(np.flatnonzero(found.classes == place))
        shares = overlaps(own.corners, own.corners) - np.eye(len(own))
        assert (shares <= 0.5 + 1e-6).all()


def test_the_maps_maximum_is_the_score_and_the_surest_box_has_it(graph: bytes) -> None:
    found = GraphDetector(graph, 8).score(some_frame(2))
    assert found.boxes is not None
    assert found.values.shape == SIZE
    assert found.score == float(found.values.max()) == float(found.boxes.confidences[0])
    assert (found.values >= 0).all()


def test_a_value_that_is_not_finite_leaves_no_number(detector: BoxDetector) -> None:
    weight = detector.head.logits.bias
    assert weight is not None
    kept = weight.detach().clone()
    try:
        with torch.no_grad():
            weight[2] = float("nan")
        model = whole_model(detector, FeatureConfig(height=SIZE[0], width=SIZE[1])).SerializeToString()
    finally:
        with torch.no_grad():
            weight.copy_(kept)
    found = GraphDetector(model, 8).score(some_frame())
    assert np.isnan(found.score)
    assert np.isnan(found.values).all()


def test_nothing_that_is_likely_is_no_box() -> None:
    single = Suppressor(2, SIZE)
    logits, places = np.full((5, 2), -20, np.float32), np.zeros((5, 4), np.float32)
    assert len(single(logits, places)) == 0


def test_of_doubles_the_surer_stays_and_another_class_does_not_count() -> None:
    logits = np.full((3, 2), -20, np.float32)
    logits[0, 0], logits[1, 0], logits[2, 1] = 1, 2, 0
    places = np.array([[0, 0, 20, 20], [0, 0, 20, 21], [0, 0, 20, 20]], np.float32)
    found = Suppressor(2, SIZE)(logits, places)
    assert found.classes.tolist() == [0, 1]
    assert found.corners.tolist() == [[0, 0, 20, 21], [0, 0, 20, 20]]


def test_a_foreign_backbones_strides_must_double(patchy: Backbone) -> None:
    network = GraphNetwork(patchy)
    network.strides = (4, 16)
    with pytest.raises(OptionError, match="needs each twice the one before"):
        check_strides(network)


def test_a_cell_reaches_from_its_centre_by_the_mean_of_each_sides_distances(detector: BoxDetector) -> None:
    points, steps = detector.cells(*SIZE, torch.device("cpu"))
    assert points[1].tolist() == [12, 4]
    assert (len(points), sorted(set(steps.tolist()))) == (96 + 24 + 6, [8, 16, 32])
    sides = torch.full((1, len(points), 4, 16), -50.0)
    sides[..., 2] = 50.0  # two strides on each side
    assert corners(sides.flatten(2), points, steps)[0, 1].tolist() == pytest.approx([-4, -12, 28, 20])


def test_overlaps_of_boxes() -> None:
    one, other = torch.tensor([0.0, 0, 10, 10]), torch.tensor([5.0, 0, 15, 10])
    far = torch.tensor([20.0, 0, 30, 10])
    assert float(overlap(one, other)) == pytest.approx(1 / 3)
    assert float(generalised_overlap(one, far)) == pytest.approx(-1 / 3)


def test_each_cell_learns_one_box_and_the_best_cell_its_overlap(detector: BoxDetector) -> None:
    cells = detector.cells(*SIZE, torch.device("cpu"))
    boxes = torch.tensor([[0.0, 0, 40, 40], [48, 8, 52, 12], [60, 30, 61, 31]])
    found = torch.cat([cells[0] - 8, cells[0] + 8], dim=1)
    owner, fit = assigned(torch.full((len(found), 3), 0.1), found, cells, boxes, torch.tensor([0, 1, 2]))
    assert set(owner.tolist()) == {-1, 0, 1, 2}  # even what is smaller than a cell is somebody's
    assert (fit[owner < 0] == 0).all()
    for place in range(3):
        mine = owner == place
        assert 1 <= int(mine.sum()) <= 10
        assert float(fit[mine].max()) == pytest.approx(float(overlap(boxes[place], found[mine]).max()), abs=1e-6)


def test_a_picture_without_boxes_and_one_with_200_have_a_finite_loss(detector: BoxDetector) -> None:
    rng = np.random.default_rng(0)
    low = rng.uniform(0, 50, (200, 2))
    many = torch.from_numpy(np.concatenate([low, low + rng.uniform(1, 12, (200, 2))], axis=1).astype(np.float32))
    none = torch.zeros(0, 4), torch.zeros(0, dtype=torch.int64)
    logits, sides = detector.head(detector.network(torch.rand(2, 3, *SIZE)))
    cells = detector.cells(*SIZE, torch.device("cpu"))
    loss = box_loss(logits, sides, cells, [none, (many, torch.from_numpy(rng.integers(0, 3, 200)))])
    loss.backward()  # type: ignore[no-untyped-call]
    assert torch.isfinite(loss)
    assert torch.isfinite(box_loss(logits.detach(), sides.detach(), cells, [none, none]))


def test_boxes_move_with_what_they_frame() -> None:
    image = torch.zeros(1, 3, *SIZE)
    image[:, :, 16:32, 24:48] = 1
    box = Boxes(
        corners=np.array([[24, 16, 48, 32]], np.float32), classes=np.zeros(1, np.int64), confidences=np.ones(1, "f4")
    )
    for move in (
        Move(scale=np.array([-1.0, 1]), shift=np.zeros(2)),
        Move(scale=np.array([1.25, -1.25]), shift=np.array([-0.1, 0.2])),
    ):
        seen = moved(image, [move])[0, 0].numpy() > 0.5
        rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
        framed = [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]
        assert moved_boxes(box, move, SIZE).corners[0] == pytest.approx(framed, abs=1)


def test_a_box_that_leaves_the_picture_is_no_example() -> None:
    box = Boxes(
        corners=np.array([[0, 0, 20, 20]], np.float32), classes=np.zeros(1, np.int64), confidences=np.ones(1, "f4")
    )
    assert len(moved_boxes(box, Move(scale=np.ones(2), shift=np.array([0.6, 0.0])), SIZE)) == 0


def test_a_material_with_a_handedness_is_not_mirrored() -> None:
    rng = np.random.default_rng(0)
    printed = [drawn_move(PRESETS["printed"], rng).scale for _ in range(20)]
    metal = [drawn_move(PRESETS["metal"], rng).scale for _ in range(20)]
    assert (np.array(printed) > 0).all()
    assert (np.array(metal) < 0).any()


def judged(confidences: list[float], right: list[bool], total: int) -> Judged:
    return Judged(confidences=np.array(confidences, np.float32), right=np.array(right), total=total)


def test_a_calibrated_confidence_is_the_share_that_is_right() -> None:
    rng = np.random.default_rng(0)
    shares = rng.uniform(0.05, 0.95, 4000).astype(np.float32)
    logits = np.log(shares / (1 - shares))
    right = rng.uniform(size=4000) < 1 / (1 + np.exp(-(2 * logits - 1)))
    assert calibration(Judged(confidences=shares, right=right, total=4000)) == pytest.approx((2, -1), abs=0.2)


@pytest.mark.parametrize("right", [True, False])
def test_nothing_to_compare_leaves_confidences_as_they_are(right: bool) -> None:
    assert calibration(judged([0.4, 0.6], [right, right], 2)) == (1.0, 0.0)


def test_the_best_f1_counts_boxes_that_were_missed() -> None:
    value, f1 = best_f1(judged([0.9, 0.8, 0.7, 0.2], [True, False, True, False], 4))
    assert (value, f1) == pytest.approx((0.7, 4 / 7))
    assert best_f1(judged([0.9], [False], 1)) == (0.5, 0.0)


def test_a_box_found_twice_is_right_once() -> None:
    truth = Boxes(corners=np.array([[0, 0, 9, 9]], "f4"), classes=np.zeros(1, np.int64), confidences=np.ones(1, "f4"))
    twice = Boxes(
        corners=np.repeat(truth.corners, 2, axis=0),
        classes=np.zeros(2, np.int64),
        confidences=np.array([0.9, 0.8], "f4"),
    )
    found = judged_boxes([truth], [twice], 1)
    assert (found.right.tolist(), found.total) == ([True, False], 1)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: BoxLearningConfig(epochs=0), "takes 1 to 10000"),
        (lambda: BoxLearningConfig(minutes=float("nan")), "a number above 0"),
        (lambda: BoxLearningConfig(material="wood"), "is not known"),  # type: ignore[arg-type]
    ],
)
def test_wrong_options_are_refused(make: Callable[[], BoxLearningConfig], said: str) -> None:
    with pytest.raises(OptionError, match=said):
        make()
