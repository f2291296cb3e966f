"""The programs that train the shipped backbone, on a toy scale."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import onnxruntime as ort
import pytest

torch = pytest.importorskip("torch", reason="the backbone's programs need torch: pip install 'sightline[train]'")

import crops  # noqa: E402 after the check for torch
import export  # noqa: E402
import quantise  # noqa: E402
import student  # noqa: E402
import surfaces  # noqa: E402
import targets  # noqa: E402
import train  # noqa: E402

SIDE, COUNT = 32, 24
SHIPPED = Path(__file__).parents[2] / "src/sightline/models/backbone.onnx"


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    paths = [folder / f"{index}.png" for index in range(4)]
    for path in paths:
        cv2.imwrite(str(path), cv2.resize(rng.integers(0, 256, (9, 9, 3), np.uint8), (64, 64)))
    return paths


@pytest.fixture(scope="module")
def cache(pictures: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cache")
    crop_config = crops.CropConfig(count=COUNT, side_px=SIDE)
    config = targets.TargetConfig(weights={"a": 0.7, "b": 0.3}, components={8: 6, 16: 8}, fit_crops=COUNT, batch=4)
    teachers = {"a": _teacher(0, 5), "b": _teacher(1, 7)}
    targets.build_cache(pictures, pictures, teachers, crop_config, config, folder, "cpu")
    return folder


def _teacher(seed: int, channels: int) -> targets.Teacher:
    """A random network with maps at strides 8 and 16."""
    torch.manual_seed(seed)
    near, far = torch.nn.Conv2d(3, channels, 8, 8), torch.nn.Conv2d(3, 2 * channels, 16, 16)

    @torch.inference_mode()  # type: ignore[untyped-decorator]
    def teacher(images: Any) -> dict[int, Any]:
        return {8: near(images), 16: far(images)}

    return teacher


def test_the_same_seed_gives_the_same_crops(pictures: list[Path]) -> None:
    config = crops.CropConfig(count=12, side_px=SIDE, seed=3)
    first, second = (list(crops.generate(pictures, pictures, config)) for _ in range(2))
    assert [crop.shape for crop in first] == [(SIDE, SIDE, 3)] * 12
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def test_targets_are_of_unit_size_and_the_cache_says_what_it_is(cache: Path) -> None:
    about = json.loads((cache / "cache.json").read_text())
    near = np.load(cache / "target_8.npy").astype(np.float32)
    assert near.shape == (COUNT, SIDE // 8, SIDE // 8, 6)
    assert np.square(near).sum(-1).mean() == pytest.approx(about["explained"]["8"], rel=0.3)


def test_with_every_component_kept_targets_keep_the_teachers_distances() -> None:
    rng = np.random.default_rng(0)
    made = [rng.integers(0, 256, (SIDE, SIDE, 3), np.uint8) for _ in range(8)]
    config = targets.TargetConfig(weights={"a": 1.0}, components={8: 5, 16: 10})
    teachers = {"a": _teacher(0, 5)}
    projection = targets.fit_projections(teachers, made, config, "cpu")[16]
    features = targets.joined_features(teachers, made, "cpu")[16].reshape(-1, 10).numpy()
    scaled = features / features.std(0, ddof=1)
    projected = (features - projection.mean) @ projection.basis
    ours, theirs = (np.linalg.norm(x[0] - x[1:], axis=1) for x in (projected, scaled))
    assert projection.explained == pytest.approx(1)
    np.testing.assert_allclose(ours / ours[0], theirs / theirs[0], rtol=5e-3)


def test_training_learns_and_can_begin_where_another_ended(cache: Path) -> None:
    config = student.StudentConfig(widths=(4, 8, 8, 8), bottlenecks=(4, 4, 4), depths=(1, 1, 1), outputs=(6, 8))
    quick = train.TrainConfig(minutes=0.1, batch=4, held_out=4, average_decay=0.9)
    train.train(train.Cache(cache), config, quick, cache, "cpu")
    first = json.loads((cache / "student.json").read_text())
    again = train.TrainConfig(minutes=0.001, batch=4, held_out=4, average_decay=0.9, start=str(cache / "student.pt"))
    train.train(train.Cache(cache), config, again, cache, "cpu")
    second = json.loads((cache / "student.json").read_text())
    assert first["step"] > 1  # a busy machine makes few steps in six seconds
    assert np.isfinite(first["explained_variance_8_16"]).all()
    assert second["train"]["start"] == str(cache / "student.pt")


def test_8_bit_fine_tuning_begins_calibrated_and_keeps_its_levels(cache: Path) -> None:
    config = student.StudentConfig(widths=(4, 8, 8, 8), bottlenecks=(4, 4, 4), depths=(1, 1, 1), outputs=(6, 8))
    torch.manual_seed(0)
    torch.save(student.Student(config).state_dict(), cache / "start.pt")
    settings = {"batch": 4, "held_out": 4, "calibration": 13, "quantise_aware": True, "start": str(cache / "start.pt")}
    states = []
    for minutes in (0.0, 0.01):
        train.train(train.Cache(cache), config, train.TrainConfig(minutes=minutes, **settings), cache, "cpu")
        states.append(torch.load(cache / "quantised.pt", weights_only=True))
    levels = [name for name in states[0] if name.endswith(("scale", "zero_point"))]
    assert len(levels) == 2 * 16  # 4 halvings and 3 bottlenecks of 4
    assert all(torch.equal(states[0][name], states[1][name]) for name in levels)
    assert not torch.equal(states[0]["head8.weight"], states[1]["head8.weight"])


def test_caches_with_the_same_projections_are_trained_on_together(cache: Path, pictures: list[Path]) -> None:
    crop_config = crops.CropConfig(count=8, side_px=SIDE, seed=1)
    config = targets.TargetConfig(weights={"a": 0.7, "b": 0.3}, components={8: 6, 16: 8}, batch=4)
    teachers = {"a": _teacher(0, 5), "b": _teacher(1, 7)}
    projections = targets.load_projections(cache / "projections.npz")
    more = cache / "more"
    targets.build_cache(pictures, pictures, teachers, crop_config, config, more, "cpu", projections)
    again = targets.load_projections(more / "projections.npz")
    assert all(np.array_equal(projections[s].basis, again[s].basis) for s in (8, 16))
    both = train.Cache(cache, more)
    training, held_out = both.split(2)
    assert len(training) == COUNT + 8 - 4
    assert [list(part) for part in held_out] == [[COUNT - 2, COUNT - 1], [COUNT + 6, COUNT + 7]]
    assert np.array_equal(both.crops[COUNT:], np.load(more / "crops.npy"))


@pytest.mark.parametrize("look", surfaces.LOOKS)
def test_every_look_is_drawn_and_every_damage_shows(look: surfaces.Look) -> None:
    for damage in surfaces.DAMAGE:
        sound, damaged = (look(np.random.default_rng(2), 64) for _ in range(2))
        assert np.isfinite(sound.colour).all()
        damage(np.random.default_rng(4), damaged)
        assert np.abs(sound.colour - damaged.colour).max() + np.abs(sound.height - damaged.height).max() > 0.03


def test_an_unfinished_cache_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="no finished cache"):
        train.Cache(tmp_path)


@pytest.fixture(scope="module")
def network() -> student.Student:
    """Random weights, and batch norms that do something."""
    torch.manual_seed(0)
    made = student.Student(student.StudentConfig()).eval()
    for module in made.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.running_mean, -0.2, 0.2)
            torch.nn.init.uniform_(module.running_var, 0.5, 1.5)
    return made


@pytest.fixture(scope="module")
def pair(network: student.Student) -> tuple[student.Student, onnx.ModelProto]:
    """The network in 8-bit arithmetic, imitated and exported."""
    torch.manual_seed(1)
    imitated = quantise.quantised(network, [torch.rand(4, 3, 64, 64)])
    return imitated, export.to_onnx(imitated)


def _outputs(model: onnx.ModelProto, images: Any, *, fused: bool = True) -> list[Any]:
    options = ort.SessionOptions()
    if not fused:
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return list(session.run(None, {"image": images.numpy()}))


def _error(ours: Any, theirs: Any) -> float:
    """Variance of the difference over that of the second."""
    return float(np.square(ours - theirs).mean() / np.square(theirs).mean())


def test_the_exported_file_computes_what_the_student_does(network: student.Student) -> None:
    images = torch.rand(2, 3, 64, 96)
    with torch.inference_mode():
        expected = [values.numpy() for values in network(images)]
    for ours, theirs in zip(_outputs(export.to_onnx(quantise.folded(network)), images), expected, strict=True):
        assert ours.shape == theirs.shape
        assert np.abs(ours - theirs).max() < 1e-4 * np.abs(theirs).max()


def test_the_8_bit_file_computes_what_the_imitation_does(pair: tuple[student.Student, onnx.ModelProto]) -> None:
    images = torch.rand(2, 3, 64, 96)
    imitated, model = pair
    with torch.inference_mode():
        expected = [values.numpy() for values in imitated(images)]
    for fused in (False, True):
        for ours, theirs in zip(_outputs(model, images, fused=fused), expected, strict=True):
            assert ours.shape == theirs.shape
            assert _error(ours, theirs) < 0.01  # roundings at a tie may go either way, and spread


def test_8_bits_differ_little_from_floating_point(
    network: student.Student, pair: tuple[student.Student, onnx.ModelProto]
) -> None:
    """Sums that overflow would differ by half and more."""
    images = torch.rand(2, 3, 64, 96)
    with torch.inference_mode():
        expected = [values.numpy() for values in network(images)]
    for ours, theirs in zip(_outputs(pair[1], images), expected, strict=True):
        assert _error(ours, theirs) < 0.03


def test_no_two_products_of_the_shipped_weights_overflow_16_bits() -> None:
    stored = [onnx.numpy_helper.to_array(tensor) for tensor in onnx.load(str(SHIPPED)).graph.initializer]
    weights = [values for values in stored if values.dtype == np.int8]
    assert len(weights) == 29
    assert max(int(np.abs(values.astype(int)).max()) for values in weights) == quantise.MOST_WEIGHT
    assert 2 * 255 * quantise.MOST_WEIGHT <= 2**15 - 1


def test_the_runtime_computes_the_shipped_file_in_integers(tmp_path: Path) -> None:
    options = ort.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimised.onnx")
    options.log_severity_level = 3  # the optimised file is for this machine only, says the runtime
    ort.InferenceSession(str(SHIPPED), options, providers=["CPUExecutionProvider"])
    used = [node.op_type for node in onnx.load(options.optimized_model_filepath).graph.node]
    assert used.count("QLinearConv") == 27
    assert used.count("Conv") == 3  # the first, and the two that give the outputs


def test_the_shipped_file_is_small_and_the_students_architecture() -> None:
    shipped = onnx.load(str(SHIPPED))
    fresh = export.to_onnx(quantise.quantised(student.Student(student.StudentConfig())))
    assert SHIPPED.stat().st_size < 1_200_000
    assert [node.op_type for node in shipped.graph.node] == [node.op_type for node in fresh.graph.node]
    assert [tuple(w.dims) for w in shipped.graph.initializer] == [tuple(w.dims) for w in fresh.graph.initializer]
