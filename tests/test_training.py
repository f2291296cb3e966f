"""From a folder to a model file in one step at the end: whatever goes wrong, one line and nothing half-written."""

import errno
import os
from collections.abc import Callable
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
from sightline import bundle, training
from sightline.datasets.dataset import Dataset, Sample
from sightline.datasets.frames import FrameFiles
from sightline.datasets.opening import open_dataset
from sightline.errors import DatasetError, FrameError, InspectionError, OptionError, StoreError
from sightline.imaging.writing import write_png
from sightline.records import Verdict
from sightline.training import BY_GRADIENT, TrainConfig, Trained, train

Pixels = NDArray[np.uint8]
Told = list[tuple[str, int, int]]


def good_part(seed: int, height: int = 90, width: int = 120) -> Pixels:
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    ribs = 120 + 40 * np.sin(x / 7) * np.cos(y / 9)
    return np.asarray((ribs + rng.normal(0, 5, (height, width))).clip(0, 255), np.uint8)


def bad_part(seed: int) -> Pixels:
    pixels = good_part(seed)
    pixels[30:50, 60:85] = 255
    return pixels


def write_16_bit(path: Path, pixels: NDArray[np.uint16]) -> None:
    assert cv2.imwrite(str(path), pixels)


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> TrainConfig:
    """A small model with a small foreign backbone: one convolution of stride 8, so that training takes a moment."""
    kernel = np.random.default_rng(0).normal(0, 0.1, (12, 3, 8, 8)).astype(np.float32)
    graph = helper.make_graph(
        [helper.make_node("Conv", ["x", "w"], ["y"], strides=[8, 8]), helper.make_node("Tanh", ["y"], ["f"])],
        "small",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, "h", "w"])],
        [helper.make_tensor_value_info("f", TensorProto.FLOAT, ["n", 12, "h8", "w8"])],
        [numpy_helper.from_array(kernel, "w")],
    )
    path = tmp_path_factory.mktemp("backbone") / "small.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8), path)
    return TrainConfig(size=(64, 96), dimensions=8, bank=60, backbone=path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Ten good pictures."""
    folder = tmp_path / "parts"
    folder.mkdir()
    for seed in range(10):
        write_png(folder / f"{seed:02}.png", good_part(seed))
    return folder


@pytest.fixture
def output(tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    return tmp_path / "out" / "part.sight"


def trained(folder: Path, output: Path, config: TrainConfig) -> Trained:
    return train(open_dataset(folder), output, config)


def refusal(folder: Path, output: Path, config: TrainConfig, kind: type[InspectionError]) -> str:
    """The message with which training stops, seen to be one line, to end, and to leave nothing behind."""
    with pytest.raises(InspectionError) as caught:
        trained(folder, output, config)
    assert type(caught.value) is kind
    message = str(caught.value)
    assert message.isprintable()
    assert message.endswith(".")
    assert not output.parent.exists() or list(output.parent.iterdir()) == []
    return message


# --- what comes out


def test_the_model_written_is_the_one_returned_and_judges(folder: Path, output: Path, config: TrainConfig) -> None:
    result = trained(folder, output, config)
    assert result.images == 10
    assert list(output.parent.iterdir()) == [output]
    loaded = bundle.load(output)
    assert (loaded.manifest, loaded.graph, loaded.model_id) == (
        result.bundle.manifest,
        result.bundle.graph,
        result.bundle.model_id,
    )
    inspector = sightline.load(output)
    assert inspector.inspect(bad_part(50)).verdict is Verdict.REJECT
    assert inspector.inspect(folder / "03.png").verdict is Verdict.PASS


def test_the_manifest_tells_what_the_model_was_made_from(folder: Path, output: Path, config: TrainConfig) -> None:
    manifest = trained(folder, output, replace(config, seed=7)).bundle.manifest
    assert manifest.method == "patchcore"
    assert manifest.working_size == (64, 96)
    assert (manifest.input.dtype, manifest.input.bit_depth) == ("uint8", 8)
    provenance = manifest.provenance
    assert (provenance.dataset, provenance.images, provenance.seed) == ("parts", 10, 7)
    assert provenance.backbone == "small"
    assert provenance.config["bank"] == 60
    assert provenance.config["patches"] == 10 * 8 * 12
    scores = manifest.calibration.good_scores
    assert len(scores) == 10
    assert manifest.thresholds.reject == float(np.nextafter(np.float32(scores[-1]), np.float32(np.inf)))
    assert manifest.thresholds.max_overkill == pytest.approx(1 / 11)  # of ten pictures no more can be promised


def test_what_few_pictures_cannot_promise_is_told(folder: Path, output: Path, config: TrainConfig) -> None:
    warnings = trained(folder, output, config).warnings
    assert any("10 good pictures cannot promise 1 % overkill" in warning for warning in warnings)
    assert any("10 good pictures are few" in warning for warning in warnings)


@pytest.mark.parametrize("method", ["patchcore", "padim"])
def test_the_same_pictures_and_seed_give_the_same_file(
    folder: Path, output: Path, config: TrainConfig, method: Any
) -> None:
    config = replace(config, method=method)
    trained(folder, output, config)
    first = output.read_bytes()
    trained(folder, output, config)
    assert output.read_bytes() == first
    moved = folder.rename(folder.parent / "out" / "parts")  # where they lie does not matter
    trained(moved, output, config)
    assert output.read_bytes() == first
    trained(moved, output, replace(config, seed=1))
    assert output.read_bytes() != first


def test_one_changed_pixel_changes_the_data_sets_hash(folder: Path, output: Path, config: TrainConfig) -> None:
    before = trained(folder, output, config).bundle.manifest.provenance.dataset_sha256
    pixels = good_part(4)
    pixels[0, 0] ^= 1
    write_png(folder / "04.png", pixels)
    assert trained(folder, output, config).bundle.manifest.provenance.dataset_sha256 != before


@pytest.mark.parametrize("method", BY_GRADIENT)
def test_a_method_trained_by_gradient_calibrates_with_the_pictures_it_held_out(
    folder: Path, output: Path, config: TrainConfig, method: Any
) -> None:
    pytest.importorskip("torch", reason="the extra [train] is not installed")
    from sightline.models.gradient import hold_out

    paths = [folder / f"{index:02}.png" for index in hold_out(10, config.seed).held_out]
    write_png(paths[2], bad_part(5))  # a defect among the good
    result = trained(folder, output, replace(config, method=method, steps=3))
    calibration = result.bundle.manifest.calibration
    assert (result.bundle.manifest.method, calibration.source) == (method, "held-out 5 of 10 good images")
    inspector = sightline.load(output)
    assert calibration.good_scores == tuple(sorted(inspector.inspect(path).score or 0 for path in paths))
    if method == "fastflow":  # the others know too little after three steps
        assert [item.path for item in result.unusual] == [paths[2]]
    assert [item.score for item in result.unusual] == [inspector.inspect(item.path).score for item in result.unusual]


@pytest.mark.parametrize("missing", ["torch", "onnxscript"])
@pytest.mark.parametrize("method", BY_GRADIENT)
def test_without_torch_the_cure_is_told_before_a_picture_is_read(
    folder: Path, output: Path, config: TrainConfig, monkeypatch: pytest.MonkeyPatch, method: Any, missing: str
) -> None:
    monkeypatch.setattr(training, "find_spec", lambda name: None if name == missing else object())
    message = refusal(folder, output, replace(config, method=method), OptionError)
    assert message == f"method {method} needs torch. Install it with pip install 'sightline[train]'."


def test_padim_and_tiles_are_trained_the_same_way(folder: Path, output: Path, config: TrainConfig) -> None:
    tiled = replace(config, method="padim", size=(96, 160), tile=80)
    manifest = trained(folder, output, tiled).bundle.manifest
    assert (manifest.method, manifest.working_size, manifest.tile) == ("padim", (96, 160), 80)
    assert sightline.load(output).inspect(bad_part(50)).verdict is Verdict.REJECT


def test_the_backbone_that_ships_needs_no_options(folder: Path, output: Path) -> None:
    for path in sorted(folder.iterdir())[5:]:  # five are the least
        path.unlink()
    manifest = trained(folder, output, TrainConfig(bank=100)).bundle.manifest
    assert manifest.provenance.backbone == "sightline"
    assert manifest.working_size == (256, 336)  # 120 : 90 is 4 : 3; 341 on a multiple of 16 is 336
    assert sightline.load(output).inspect(bad_part(50)).verdict is Verdict.REJECT


# --- pictures of all kinds


def test_a_defect_among_the_good_is_named_first(folder: Path, output: Path, config: TrainConfig) -> None:
    write_png(folder / "05b.png", bad_part(99))
    result = trained(folder, output, config)
    assert result.unusual[0].path.name == "05b.png"
    assert result.unusual[0].score == result.bundle.manifest.calibration.good_scores[-1]


def test_among_equals_none_is_unusual(folder: Path, output: Path, config: TrainConfig) -> None:
    assert trained(folder, output, config).unusual == ()


def test_pictures_of_several_shapes_are_looked_at_by_one_scale(folder: Path, output: Path, config: TrainConfig) -> None:
    write_png(folder / "tall.png", good_part(60, 200, 100))
    manifest = trained(folder, output, replace(config, size=None)).bundle.manifest
    assert manifest.working_size == (256, 256)
    assert manifest.provenance.config["scale"] == pytest.approx(256 / 90)  # the median of the short sides is 90
    assert sightline.load(output).inspect(good_part(61, 100, 130)).verdict is Verdict.PASS
    assert sightline.load(output).inspect(bad_part(50)).verdict is Verdict.REJECT


@pytest.mark.parametrize("options", [{}, {"size": None}], ids=["a size that is asked for", "one shape"])
def test_pictures_of_one_shape_have_no_scale_and_none_is_used_with_a_size(
    folder: Path, output: Path, config: TrainConfig, options: dict[str, Any]
) -> None:
    if not options:
        write_png(folder / "tall.png", good_part(60, 200, 100))
    manifest = trained(folder, output, replace(config, **options)).bundle.manifest
    assert manifest.provenance.config["scale"] is None


def test_the_record_tells_of_the_prior(folder: Path, output: Path, config: TrainConfig) -> None:
    assert trained(folder, output, config).bundle.manifest.provenance.config["position_prior"] is True
    plain = trained(folder, output, replace(config, position_prior=False)).bundle.manifest.provenance.config
    assert plain["position_prior"] is False


def test_the_smallest_defect_is_a_width_and_goes_with_no_size() -> None:
    with pytest.raises(OptionError, match="a smallest defect of 0 px cannot be"):
        TrainConfig(smallest_defect=0)
    with pytest.raises(OptionError, match="the smallest defect sets the working size, and a size is given too"):
        TrainConfig(smallest_defect=5, size=(256, 256))


def test_eight_and_sixteen_bits_do_not_mix(folder: Path, output: Path, config: TrainConfig) -> None:
    write_16_bit(folder / "deep.png", good_part(0).astype(np.uint16) * 16)
    message = refusal(folder, output, config, DatasetError)
    assert message.startswith(f"{folder / 'deep.png'}: has 16 bits per channel, {folder / '00.png'} has 8")


@pytest.fixture
def deep_folder(tmp_path: Path) -> Path:
    """Ten good pictures of a 12-bit camera in 16-bit files; the brightest has 4095."""
    folder = tmp_path / "deep"
    folder.mkdir()
    for seed in range(10):
        pixels = good_part(seed).astype(np.uint16) * 16
        pixels[0, 0] = 4095
        write_16_bit(folder / f"{seed:02}.png", pixels)
    return folder


def test_the_depth_of_a_twelve_bit_camera_is_found(deep_folder: Path, output: Path, config: TrainConfig) -> None:
    manifest = trained(deep_folder, output, config).bundle.manifest
    assert (manifest.input.dtype, manifest.input.bit_depth) == ("uint16", 12)
    inspector = sightline.load(output)
    assert inspector.inspect(bad_part(50).astype(np.uint16) * 16).verdict is Verdict.REJECT
    with pytest.raises(FrameError, match="has 8 bits per channel, the model was trained on 12"):
        inspector.inspect(good_part(1))


def test_the_depth_can_be_told(deep_folder: Path, output: Path, config: TrainConfig) -> None:
    assert trained(deep_folder, output, replace(config, bit_depth=14)).bundle.manifest.input.bit_depth == 14


def test_a_depth_that_cannot_hold_the_values_is_refused(deep_folder: Path, output: Path, config: TrainConfig) -> None:
    message = refusal(deep_folder, output, replace(config, bit_depth=10), OptionError)
    assert "values up to 4095, which 10 bits cannot hold; set the bit depth to 12" in message


def test_unreadable_pictures_are_left_out_and_named(folder: Path, output: Path, config: TrainConfig) -> None:
    (folder / "empty.png").touch()
    (folder / "cut.png").write_bytes((folder / "00.png").read_bytes()[:-50])
    result = trained(folder, output, config)
    assert result.images == 10
    left_out = [warning for warning in result.warnings if warning.startswith("left out: ")]
    assert [warning.split(": ")[1] for warning in left_out] == [str(folder / "cut.png"), str(folder / "empty.png")]


def test_known_defects_are_not_learnt_from_and_that_is_told(folder: Path, output: Path, config: TrainConfig) -> None:
    classes = folder.parent / "classes"
    (classes / "crack").mkdir(parents=True)
    folder.rename(classes / "good")
    write_png(classes / "crack" / "1.png", bad_part(1))
    result = trained(classes, output, config)
    assert result.images == 10
    assert "1 picture of defects among the training pictures not learnt from: crack." in result.warnings


@pytest.mark.parametrize(
    "name",
    [b"bad\xff\xfename", b"two\nlines", b"\x1b[2Jscreen", "傷\u3000表面".encode()],
    ids=["not UTF-8", "a line break", "terminal codes", "Japanese"],
)
def test_a_folder_of_any_name_can_be_learnt_from(folder: Path, output: Path, config: TrainConfig, name: bytes) -> None:
    odd = folder.rename(folder.parent / os.fsdecode(name))
    recorded = trained(odd, output, config).bundle.manifest.provenance.dataset
    assert recorded.replace("\u3000", " ").isprintable()
    assert recorded == odd.name or "\N{REPLACEMENT CHARACTER}" in recorded


def test_a_backbone_of_any_name_can_be_used(folder: Path, output: Path, config: TrainConfig) -> None:
    assert config.backbone is not None
    odd = folder.parent / os.fsdecode(b"net\xff.onnx")
    odd.write_bytes(config.backbone.read_bytes())
    assert trained(folder, output, replace(config, backbone=odd)).bundle.manifest.provenance.backbone == "net\ufffd"


# --- what cannot be learnt from


def test_an_empty_folder_is_refused(tmp_path: Path, output: Path, config: TrainConfig) -> None:
    (tmp_path / "none").mkdir()
    assert "no pictures; put PNG" in refusal(tmp_path / "none", output, config, DatasetError)


@pytest.mark.parametrize("method", ["patchcore", "padim"])
def test_one_picture_is_too_few(folder: Path, output: Path, config: TrainConfig, method: Any) -> None:
    for path in sorted(folder.iterdir())[1:]:
        path.unlink()
    message = refusal(folder, output, replace(config, method=method), OptionError)
    assert message.startswith("1 good image")
    assert "too few" in message
    assert "at least 5" in message


def test_pictures_none_of_which_can_be_read_are_refused_with_the_first_reason(
    folder: Path, output: Path, config: TrainConfig
) -> None:
    for path in folder.iterdir():
        path.write_text(path.name)
    message = refusal(folder, output, config, DatasetError)
    assert f"none of 10 pictures can be read; the first: {folder / '00.png'}: is not a PNG" in message


def test_defects_alone_are_refused_with_where_good_ones_belong(folder: Path, output: Path, config: TrainConfig) -> None:
    samples = tuple(Sample(path=path, label="crack") for path in sorted(folder.iterdir()))
    with pytest.raises(DatasetError, match=r'no good pictures to learn from\. Put them in a folder called "good"'):
        train(Dataset(name="parts", root=folder, samples=samples), output, config)
    assert list(output.parent.iterdir()) == []


def test_a_picture_that_goes_away_meanwhile_is_named(folder: Path, output: Path, config: TrainConfig) -> None:
    def remove(stage: str, done: int, total: int) -> None:
        if stage == "reading" and done == total:
            (folder / "07.png").unlink()

    with pytest.raises(FrameError, match=r"07\.png: cannot be read"):
        train(open_dataset(folder), output, config, remove)
    assert list(output.parent.iterdir()) == []


def test_frames_on_disk_are_decoded_when_asked_for(folder: Path) -> None:
    frames = FrameFiles(paths=sorted(folder.iterdir()))
    assert len(frames) == 10
    np.testing.assert_array_equal(frames[3].pixels[:, :, 0], good_part(3))
    write_png(folder / "03.png", good_part(42))
    np.testing.assert_array_equal(frames[3].pixels[:, :, 0], good_part(42))
    with pytest.raises(FrameError, match=r"the limit is 0\.001"):
        FrameFiles(paths=frames.paths, max_megapixels=1e-3)[0]


# --- options that cannot work


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"method": "magic"}, "method 'magic' is not known; use one of patchcore, padim"),
        ({"steps": 0}, "steps is 0; give at least 1"),
        ({"max_overkill": 0.0}, "overkill rate is 0.0; it must lie between 0 and 1"),
        ({"max_overkill": 1.5}, "overkill rate is 1.5"),
        ({"max_overkill": float("nan")}, "overkill rate is nan"),
        ({"seed": -1}, "seed -1 does not fit"),
        ({"seed": 2**64}, "does not fit"),
        ({"bit_depth": 8}, "bit depth 8"),
        ({"bit_depth": 17}, "bit depth 17"),
    ],
    ids=str,
)
def test_an_option_that_cannot_work_is_refused_before_anything_is_read(
    config: TrainConfig, change: dict[str, Any], expected: str
) -> None:
    with pytest.raises(OptionError, match=expected):
        replace(config, **change)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"size": (100, 96)}, "height 100 px does not suit this backbone; use a multiple of 8, such as 96"),
        ({"size": (64, 0)}, "width 0 px does not suit this backbone; use a multiple of 8, such as 16"),
        ({"tile": 64}, "tile 64 px is too small"),
        ({"dimensions": 0}, "dimensions must be at least 1"),
        ({"bank": 0}, "make no bank"),
        ({"memory_mib": 1}, "memory 1 MiB is too little"),
        ({"backbone": Path("none.onnx")}, "none.onnx: cannot be read"),
        ({"max_megapixels": -1.0}, "megapixels"),
    ],
    ids=str,
)
def test_an_option_that_does_not_suit_ends_in_one_line(
    folder: Path, output: Path, config: TrainConfig, change: dict[str, Any], expected: str
) -> None:
    assert expected in refusal(folder, output, replace(config, **change), OptionError)


def test_pictures_over_the_size_limit_are_refused(folder: Path, output: Path, config: TrainConfig) -> None:
    assert "none of 10 pictures" in refusal(folder, output, replace(config, max_megapixels=0.01), DatasetError)


# --- nothing half-written


def never(stage: str, done: int, total: int) -> None:
    raise AssertionError(f"work was begun: {stage}")


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        pytest.param(lambda out: out.parent / "gone" / "a.sight", "Its folder does not exist", id="no folder"),
        pytest.param(lambda out: out.parent, "A folder or a device has this name", id="a folder"),
        pytest.param(lambda out: out.parent / ("a" * 300), "Choose a shorter name", id="too long"),
        pytest.param(lambda _: Path(os.devnull), "A folder or a device has this name", id="a device"),
    ],
)
def test_where_nothing_can_be_written_is_told_before_the_work(
    folder: Path, output: Path, config: TrainConfig, make: Callable[[Path], Path], expected: str
) -> None:
    with pytest.raises(StoreError, match=expected):
        train(open_dataset(folder), make(output), config, never)


def test_a_folder_without_permission_is_told_before_the_work(
    folder: Path, output: Path, config: TrainConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write everywhere
    with pytest.raises(StoreError, match="No permission to write there: choose another folder"):
        train(open_dataset(folder), output, config, never)


@pytest.mark.parametrize("stage", ["reading", "projection", "features", "calibration bank 2/5", "bank"])
def test_ctrl_c_at_any_stage_leaves_the_old_model_and_no_part(
    folder: Path, output: Path, config: TrainConfig, stage: str
) -> None:
    output.write_bytes(b"old")
    stages: set[str] = set()

    def interrupt(now: str, done: int, total: int) -> None:
        stages.add(now)
        if now == stage:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(open_dataset(folder), output, config, interrupt)
    assert stage in stages
    assert output.read_bytes() == b"old"
    assert list(output.parent.iterdir()) == [output]


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        pytest.param(errno.ENOSPC, "The disk is full: free some space", id="full"),
        pytest.param(errno.EIO, "Check the disk", id="broken"),
    ],
)
def test_a_failing_disk_leaves_the_old_model(
    folder: Path, output: Path, config: TrainConfig, monkeypatch: pytest.MonkeyPatch, code: int, expected: str
) -> None:
    output.write_bytes(b"old")

    def fail(_: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(StoreError, match=expected):
        trained(folder, output, config)
    assert output.read_bytes() == b"old"
    assert list(output.parent.iterdir()) == [output]


def test_progress_goes_through_the_stages_in_order_and_completes_each(
    folder: Path, output: Path, config: TrainConfig
) -> None:
    told: Told = []
    train(open_dataset(folder), output, config, lambda *state: told.append(state))
    stages = list(dict.fromkeys(stage for stage, _, _ in told))
    assert stages == [
        "reading",
        "projection",
        "features",
        *(f"calibration bank {n}/5" for n in range(1, 6)),
        "bank",
        "excerpts",
    ]
    last = {stage: (done, total) for stage, done, total in told}
    assert all(done == total for done, total in last.values())
