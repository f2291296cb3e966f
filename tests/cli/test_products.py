"""Several products on the command line: trained, told apart, judged, measured and calibrated each by itself."""

import html
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import cv2
import numpy as np
import pytest

from sightline.bundle import load
from sightline.cli.main import run
from sightline.inspector import load as load_inspector

Sightline = Callable[..., CompletedProcess[str]]
Document = Callable[..., Any]
Refused = Callable[..., str]
SMALL = ("--size", "64", "--bank", "40", "--quiet")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, parts: Path) -> Path:
    """woven/, in MVTec AD layout, and plain/, a folder of good pictures."""
    root = tmp_path_factory.mktemp("shop")
    shutil.copytree(parts, root / "woven")
    (root / "plain").mkdir()
    for seed in range(8):
        pixels = 60 + np.random.default_rng(seed).normal(0, 3, (96, 96))
        assert cv2.imwrite(str(root / f"plain/{seed}.png"), pixels.astype(np.uint8))
    return root


@pytest.fixture(scope="module")
def made(shop: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    models = {kind: tmp_path_factory.mktemp("models") / f"{kind}.sight" for kind in ("separate", "unified")}
    for kind, path in models.items():
        words = [f"weave={shop / 'woven'}", str(shop / "plain"), "-o", str(path), "--products", kind, *SMALL]
        assert run(["train", *words]) == 0
    return models


@pytest.fixture
def separate(made: dict[str, Path], tmp_path: Path) -> Path:
    return Path(shutil.copy(made["separate"], tmp_path / "line.sight"))


def test_training_says_what_each_product_gets(
    sightline: Sightline, document: Document, made: dict[str, Path], shop: Path, tmp_path: Path
) -> None:
    words = ("train", shop, "-o", tmp_path / "line.sight", "--products", "separate", *SMALL)
    done = sightline(*words)
    assert (done.returncode, done.stderr) == (0, "")
    lines = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("  product  ")]
    assert lines == ["plain", "woven"]  # one folder of data sets: by the subfolders' names
    found = document(*words)["products"]
    assert [(one["name"], one["images"], one["good_rejected"]) for one in found] == [("plain", 8, 0), ("woven", 12, 0)]
    assert found[0]["threshold"] != found[1]["threshold"]


def test_info_lists_the_products_with_their_thresholds(
    sightline: Sightline, document: Document, made: dict[str, Path]
) -> None:
    first, second = load(made["separate"]).manifest.products
    assert first.thresholds is not None
    lines = sightline("info", made["separate"]).stdout.splitlines()
    start = f"product     weave  REJECT from {first.thresholds.reject:.6g}; 12 good pictures; a good part is rejected "
    assert lines[-2].startswith(start)
    assert lines[-1].startswith("product     plain  REJECT from ")
    lines = sightline("info", made["unified"]).stdout.splitlines()
    assert lines[-2].startswith(
        "product     weave  12 good pictures; 0 of them reach the common threshold (0.0 %; 95 % "
    )
    found = document("info", made["separate"])
    assert (found["format_version"], [one["name"] for one in found["products"]]) == (4, ["weave", "plain"])
    assert found["products"][1]["images"] == second.images == 8


def test_the_product_is_judged_that_was_named(document: Document, made: dict[str, Path], shop: Path) -> None:
    judge = load_inspector(made["separate"])
    for product, picture in (("weave", "woven/test/hole/000.png"), ("plain", "plain/0.png")):
        found = document("inspect", made["separate"], shop / picture, "--product", product)["inspections"][0]
        ours = judge.inspect(shop / picture, product=product)
        assert (found["product"], found["score"], found["threshold"]) == (product, ours.score, ours.threshold)
    assert "product" not in document("inspect", made["unified"], shop / "plain/0.png")["inspections"][0]


@pytest.mark.parametrize(
    ("words", "needs"),
    [
        (["inspect"], "plain/0.png"),
        (["evaluate"], "woven"),
        (["calibrate", "--max-overkill", "0.2"], ""),
        (["bench"], ""),
    ],
    ids=["inspect", "evaluate", "calibrate", "bench"],
)
def test_every_command_refuses_a_product_that_is_missing_unknown_or_not_wanted(
    refused: Refused, made: dict[str, Path], trained: Path, shop: Path, words: list[str], needs: str
) -> None:
    command, *options = words
    data = [shop / needs] if needs else []
    model, before = made["separate"], made["separate"].read_bytes()
    named = f"{model}: has a bank for each of its products; name the one to judge: weave, plain."
    assert refused(command, model, *data, *options) == named
    unknown = f"{model}: does not know the product 'woven'; it knows weave, plain."
    assert refused(command, model, *data, *options, "--product", "woven") == unknown
    for other in (made["unified"], trained):
        assert "leave the product 'weave' out." in refused(command, other, *data, *options, "--product", "weave")
    assert made["separate"].read_bytes() == before


def test_a_product_is_evaluated_at_its_own_threshold(
    document: Document, made: dict[str, Path], shop: Path, tmp_path: Path
) -> None:
    report = tmp_path / "report.html"
    words = ("evaluate", made["separate"], shop / "woven", "--product", "weave", "--report", report, "--quiet")
    found = document(*words)
    limits = load_inspector(made["separate"]).limits("weave").thresholds
    assert found["threshold"] == limits.reject
    assert found["image"]["auroc"] == 1.0
    assert html.escape(limits.rule) in report.read_text("utf-8")


def test_calibrating_one_product_leaves_the_other(
    sightline: Sightline, document: Document, separate: Path, shop: Path
) -> None:
    before = load(separate)
    found = document("calibrate", separate, "--product", "plain", "--max-overkill", 0.3)
    after = load(separate)
    assert after.manifest.products[0] == before.manifest.products[0]
    changed = after.manifest.products[1].thresholds
    assert changed is not None
    assert found["thresholds"]["reject"] == changed.reject
    assert found["model_id"] == after.model_id != before.model_id
    assert (after.graph, after.manifest.products[1].calibration) == (
        before.graph,
        before.manifest.products[1].calibration,
    )
    words = ("calibrate", separate, shop / "woven", "--product", "weave", "--min-recall", 0.5, "--max-review", 0.2)
    assert sightline(*words, "--quiet").returncode == 0
    assert load(separate).manifest.products[1] == after.manifest.products[1]


def test_one_bank_is_calibrated_as_ever(sightline: Sightline, made: dict[str, Path], tmp_path: Path) -> None:
    path = tmp_path / "new.sight"
    assert sightline("calibrate", made["unified"], "--max-overkill", 0.3, "-o", path).returncode == 0
    assert load(path).manifest.products == load(made["unified"]).manifest.products
    assert load(path).manifest.thresholds != load(made["unified"]).manifest.thresholds


def test_a_product_is_timed(document: Document, made: dict[str, Path]) -> None:
    found = document("bench", made["separate"], "--product", "plain", "--runs", 10, "--size", 64, "--threads", 1)
    assert found["graph_ms_p50"] > 0


def test_several_data_without_saying_how_is_wrong_usage(sightline: Sightline, shop: Path, tmp_path: Path) -> None:
    done = sightline("train", shop / "woven", shop / "plain", "-o", tmp_path / "m.sight")
    assert done.returncode == 2
    assert "give --products separate or --products unified" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_one_data_set_is_no_several_products(refused: Refused, shop: Path, tmp_path: Path) -> None:
    words = ("-o", tmp_path / "m.sight", "--products", "separate")
    assert "does not hold the data sets of several products" in refused("train", shop / "plain", *words)
    assert "takes 2 to 100 of them, got 1" in refused("train", f"a={shop / 'plain'}", *words)


def test_the_json_of_a_model_of_one_product_says_nothing_of_products(document: Document, trained: Path) -> None:
    assert "product" not in json.dumps(document("info", trained))
