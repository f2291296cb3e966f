"""Several products in one file: each is learned, judged and calibrated apart, or all together; never mixed up."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

import sightline
from sightline import bundle
from sightline.datasets.dataset import Dataset
from sightline.datasets.opening import open_dataset
from sightline.errors import DatasetError, InspectionError, OptionError
from sightline.inspector import Inspector
from sightline.joint_training import Banks, train_products
from sightline.products import with_thresholds
from sightline.records import Verdict
from sightline.training import TrainConfig, train

Pixels = NDArray[np.uint8]


def ribbed(seed: int, height: int = 90, width: int = 120) -> Pixels:
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    return np.asarray((120 + 40 * np.sin(x / 7) * np.cos(y / 9) + rng.normal(0, 5, x.shape)).clip(0, 255), np.uint8)


def plain(seed: int, height: int = 90, width: int = 120) -> Pixels:
    rng = np.random.default_rng(1000 + seed)
    return np.asarray((200 + rng.normal(0, 2, (height, width))).clip(0, 255), np.uint8)


def spoilt(pixels: Pixels) -> Pixels:
    pixels = pixels.copy()
    pixels[30:50, 60:85] = 0
    return pixels


def write(folder: Path, make: Callable[..., Pixels], count: int, *shape: int) -> Dataset:
    folder.mkdir(parents=True)
    for seed in range(count):
        assert cv2.imwrite(str(folder / f"{seed:02}.png"), make(seed, *shape))
    return open_dataset(folder)


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


@pytest.fixture(scope="module")
def datasets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Dataset]:
    root = tmp_path_factory.mktemp("products")
    return {"ribbed": write(root / "r", ribbed, 10), "plain": write(root / "p", plain, 12)}


@pytest.fixture(scope="module")
def models(
    tmp_path_factory: pytest.TempPathFactory, datasets: dict[str, Dataset], config: TrainConfig
) -> dict[str, Path]:
    """By kind: separate, unified, padim (separate), and one for each product alone."""
    root = tmp_path_factory.mktemp("models")
    paths = {name: root / f"{name}.sight" for name in ("separate", "unified", "padim", "padim-plain", *datasets)}
    train_products(datasets, paths["separate"], "separate", config)
    train_products(datasets, paths["unified"], "unified", config)
    train_products(datasets, paths["padim"], "separate", replace(config, method="padim"))
    train(datasets["plain"], paths["padim-plain"], replace(config, method="padim"))
    for name, dataset in datasets.items():
        train(dataset, paths[name], config)
    return paths


def inspector(path: Path) -> Inspector:
    return sightline.load(path, threads=1)


# --- separate banks


@pytest.mark.parametrize(("joint", "alone"), [("separate", "plain"), ("padim", "padim-plain")])
def test_a_product_is_judged_as_by_a_model_of_its_own(models: dict[str, Path], joint: str, alone: str) -> None:
    together, single = inspector(models[joint]), inspector(models[alone])
    for pixels in (plain(50), spoilt(plain(51)), ribbed(52)):
        ours, theirs = together.inspect(pixels, product="plain"), single.inspect(pixels)
        assert ours.score == pytest.approx(theirs.score, rel=1e-4)
        assert (ours.verdict, ours.threshold, ours.p_value) == (theirs.verdict, theirs.threshold, theirs.p_value)
    product = together.manifest.products[1]
    assert product.thresholds == single.manifest.thresholds
    assert product.calibration == single.manifest.calibration
    alone_only = (bundle.WINDOW_HASH, bundle.EXEMPLARS_HASH)
    chosen = {key: value for key, value in single.manifest.provenance.config.items() if key not in alone_only}
    assert {**together.manifest.provenance.config, **product.config} == chosen


def test_switching_the_product_switches_bank_and_threshold(models: dict[str, Path]) -> None:
    judge = inspector(models["separate"])
    thresholds = {product.name: product.thresholds for product in judge.manifest.products}
    for name, other, make in (("ribbed", "plain", ribbed), ("plain", "ribbed", plain)):
        right, wrong = judge.inspect(make(0), product=name), judge.inspect(make(0), product=other)
        assert (right.verdict, wrong.verdict) == (Verdict.PASS, Verdict.REJECT)
        assert judge.inspect(spoilt(make(70)), product=name).verdict is Verdict.REJECT
        expected = thresholds[name]
        assert expected is not None
        assert (right.product, right.threshold) == (name, expected.reject)
    assert judge.limits("ribbed").thresholds.reject != judge.limits("plain").thresholds.reject


def test_several_pictures_and_what_cannot_be_judged_keep_to_the_product(
    models: dict[str, Path], tmp_path: Path
) -> None:
    judge = inspector(models["separate"])
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    good, fault = judge.inspect_all([plain(0), broken], product="plain")
    threshold = judge.limits("plain").thresholds.reject
    assert (good.verdict, good.product, good.threshold) == (Verdict.PASS, "plain", threshold)
    assert (fault.verdict, fault.product, fault.threshold) == (Verdict.FAULT, "plain", threshold)


REFUSED = [
    ("separate", None, "has a bank for each of its products; name the one to judge: ribbed, plain."),
    ("separate", "cap", "does not know the product 'cap'; it knows ribbed, plain."),
    ("separate", "Plain", "does not know the product 'Plain'; it knows ribbed, plain."),
    ("separate", "", "does not know the product ''; it knows ribbed, plain."),
    ("unified", "plain", "judges all its products by one bank; leave the product 'plain' out."),
    ("plain", "plain", "was not trained on several products; leave the product 'plain' out."),
]


@pytest.mark.parametrize(("kind", "product", "expected"), REFUSED)
def test_no_product_is_ever_taken_for_another(
    models: dict[str, Path], kind: str, product: str | None, expected: str
) -> None:
    judge = inspector(models[kind])
    frame = judge.frame(plain(0))
    calls: list[Callable[[], object]] = [
        lambda: judge.inspect(plain(0), product=product),
        lambda: judge.inspect_all([plain(0)], product=product),  # at once, not when it is first looked at
        lambda: judge.score(frame, product=product),
        lambda: judge.limits(product),
        lambda: with_thresholds(judge.bundle, product, judge.manifest.thresholds),
    ]
    for call in calls:
        with pytest.raises(OptionError) as caught:
            call()
        assert str(caught.value) == f"{models[kind]}: {expected}"


def test_the_thresholds_of_one_product_leave_those_of_the_others(models: dict[str, Path], tmp_path: Path) -> None:
    before = bundle.load(models["separate"])
    own = before.manifest.products[1].thresholds
    assert own is not None
    path = tmp_path / "edited.sight"
    bundle.save(path, before.graph, with_thresholds(before, "plain", replace(own, reject=1000.0)))
    after = bundle.load(path)
    assert after.manifest.products[0] == before.manifest.products[0]
    assert after.manifest.products[1] == replace(before.manifest.products[1], thresholds=replace(own, reject=1000.0))
    assert after.model_id != before.model_id
    judge = inspector(path)
    assert judge.inspect(spoilt(plain(70)), product="plain").verdict is Verdict.PASS
    assert judge.inspect(spoilt(ribbed(70)), product="ribbed").verdict is Verdict.REJECT


def test_who_overlooks_the_products_finds_the_lowest_threshold(models: dict[str, Path]) -> None:
    manifest = bundle.load(models["separate"]).manifest
    limits = [product.thresholds.reject for product in manifest.products if product.thresholds]
    assert manifest.thresholds.reject == min(limits)
    assert manifest.calibration.good_scores == ()
    assert manifest.provenance.images == 22


def test_the_graph_runs_in_a_bare_session_with_the_documented_inputs(models: dict[str, Path]) -> None:
    graph = bundle.load(models["separate"]).graph
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    assert [(port.name, port.type, len(port.shape)) for port in session.get_inputs()] == [
        ("image", "tensor(uint8)", 3),
        ("product", "tensor(int64)", 0),
    ]
    judge = inspector(models["separate"])
    for number, name in enumerate(("ribbed", "plain")):
        feeds = {"image": plain(3)[:, :, None], "product": np.int64(number)}
        (score,) = session.run(["score"], {key: np.asarray(value) for key, value in feeds.items()})
        assert float(score) == pytest.approx(judge.inspect(plain(3), product=name).score, rel=1e-5)


def test_a_graph_without_the_input_that_its_manifest_promises_is_refused(
    models: dict[str, Path], tmp_path: Path
) -> None:
    joint, alone = bundle.load(models["separate"]), bundle.load(models["plain"])
    wrong = replace(joint.manifest, graph_sha256=alone.manifest.graph_sha256)
    with pytest.raises(
        InspectionError, match=r"Sightline needs exactly image \(uint8, 3 axes\), product \(int64, 0 ax"
    ):
        bundle.save(tmp_path / "wrong.sight", alone.graph, wrong)
    wrong = replace(alone.manifest, graph_sha256=joint.manifest.graph_sha256)
    with pytest.raises(InspectionError, match=r"Sightline needs exactly image \(uint8, 3 axes\);"):
        bundle.save(tmp_path / "wrong.sight", joint.graph, wrong, alone.window, exemplars=alone.exemplars)


# --- one bank


def test_one_bank_judges_all_products_by_one_threshold(models: dict[str, Path]) -> None:
    judge = inspector(models["unified"])
    for make in (ribbed, plain):
        good, bad = judge.inspect(make(0)), judge.inspect(spoilt(make(70)))
        assert (good.verdict, bad.verdict) == (Verdict.PASS, Verdict.REJECT)
        assert (good.product, good.threshold) == (None, judge.manifest.thresholds.reject)
    assert judge.manifest.provenance.config["bank"] == 60


def test_the_calibration_of_each_product_is_its_share_of_the_whole(models: dict[str, Path]) -> None:
    manifest = bundle.load(models["unified"]).manifest
    assert [(product.name, product.images) for product in manifest.products] == [("ribbed", 10), ("plain", 12)]
    shares = [product.calibration.good_scores for product in manifest.products]
    assert [len(scores) for scores in shares] == [10, 12]
    assert tuple(sorted(shares[0] + shares[1])) == manifest.calibration.good_scores
    assert np.median(shares[0]) > np.median(shares[1])  # ribs vary more than a plain surface


def test_who_pays_for_the_common_threshold_is_told(
    datasets: dict[str, Dataset], config: TrainConfig, tmp_path: Path
) -> None:
    result = train_products(datasets, tmp_path / "m.sight", "unified", replace(config, max_overkill=0.4))
    (pays,) = [warning for warning in result.warnings if "separate banks would spare it" in warning]
    assert pays.startswith("ribbed: ")
    assert "8 of 10 good pictures reach the common threshold, more than the 39.1 % promised over all products" in pays


# --- what is shared, and what is refused


def test_the_working_size_is_that_of_all_pictures_as_one_data_set(config: TrainConfig, tmp_path: Path) -> None:
    alike = {
        "a": write(tmp_path / "a", ribbed, 5, 60, 120),
        "b": write(tmp_path / "b", plain, 5, 64, 130),
    }
    odd = {"a": alike["a"], "c": write(tmp_path / "c", plain, 5, 120, 60)}
    cases: list[tuple[dict[str, Dataset], Banks, tuple[int, int]]] = [
        (alike, "unified", (256, 512)),
        (odd, "separate", (256, 256)),
    ]
    for datasets, banks, size in cases:
        result = train_products(datasets, tmp_path / "m.sight", banks, replace(config, size=None, bank=5))
        assert result.bundle.manifest.working_size == size


def test_the_bit_depth_is_that_of_the_product_with_the_highest_values(config: TrainConfig, tmp_path: Path) -> None:
    for name, white in (("dim", 900), ("bright", 4000)):
        (tmp_path / name).mkdir()
        for seed in range(5):
            values = ribbed(seed).astype(np.uint16) * np.uint16(white // 255)
            assert cv2.imwrite(str(tmp_path / name / f"{seed}.png"), values)
    datasets = {name: open_dataset(tmp_path / name) for name in ("dim", "bright")}
    result = train_products(datasets, tmp_path / "m.sight", "separate", config)
    assert result.bundle.manifest.input.bit_depth == 12


def test_the_same_pictures_and_seed_give_the_same_file(
    datasets: dict[str, Dataset], models: dict[str, Path], config: TrainConfig, tmp_path: Path
) -> None:
    train_products(datasets, tmp_path / "again.sight", "separate", config)
    assert (tmp_path / "again.sight").read_bytes() == models["separate"].read_bytes()


Change = Callable[[dict[str, Dataset], TrainConfig, Path], tuple[dict[str, Dataset], Banks, TrainConfig]]
WRONG: dict[str, tuple[Change, type[InspectionError], str]] = {
    "one product": (
        lambda d, c, _: ({"plain": d["plain"]}, "separate", c),
        OptionError,
        "takes 2 to 100 of them, got 1",
    ),
    "padim unified": (lambda d, c, _: (d, "unified", replace(c, method="padim")), OptionError, "one Gaussian at each"),
    "the same pictures": (
        lambda d, c, _: ({**d, "again": d["plain"]}, "separate", c),
        DatasetError,
        "belongs to plain and to again; give each product its own.",
    ),
    "a bad name": (lambda d, c, _: ({**d, "a\n": d["plain"]}, "unified", c), OptionError, r"'a\n' is no name"),
    "too few": (
        lambda d, c, root: ({**d, "new": write(root / "new", plain, 2)}, "separate", c),
        OptionError,
        "product new: 2 good images are too few",
    ),
    "nothing good": (
        lambda d, c, _: (
            {**d, "new": replace(d["plain"], samples=tuple(replace(s, label="hole") for s in d["plain"].samples))},
            "unified",
            c,
        ),
        DatasetError,
        "no good pictures of product new to learn from.",
    ),
    "two depths": (
        lambda d, c, root: (
            {**d, "deep": write(root / "deep", lambda seed: np.asarray(plain(seed).astype(np.uint16)), 5)},
            "separate",
            c,
        ),
        DatasetError,
        "Give pictures of one depth",
    ),
    "a size": (lambda d, c, _: (d, "separate", replace(c, size=(65, 96))), OptionError, "height 65 px does not suit"),
}


@pytest.mark.parametrize(("change", "kind", "expected"), WRONG.values(), ids=WRONG)
def test_what_cannot_work_is_refused_in_one_line_and_nothing_is_written(
    datasets: dict[str, Dataset],
    config: TrainConfig,
    tmp_path: Path,
    change: Change,
    kind: type[InspectionError],
    expected: str,
) -> None:
    (tmp_path / "out").mkdir()
    changed, banks, settings = change(datasets, config, tmp_path)
    with pytest.raises(InspectionError) as caught:
        train_products(changed, tmp_path / "out" / "m.sight", banks, settings)
    assert type(caught.value) is kind
    assert expected in str(caught.value)
    assert str(caught.value).isprintable()
    assert list((tmp_path / "out").iterdir()) == []
