"""`sightline data convert`: what it prints, writes and refuses."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import cv2
import numpy as np
import pytest

from sightline.datasets.labelled import open_labelled


@pytest.fixture(autouse=True)
def no_sync(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sync", lambda: None, raising=False)


@pytest.fixture
def masked(tmp_path: Path) -> Path:
    """In MVTec AD layout: two good to train, a hole with a mask to test."""
    for place in ("train/good/0", "train/good/1", "test/hole/0"):
        path = tmp_path / f"set/{place}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), np.full((20, 30), len(place) + int(place[-1]), np.uint8))
    mask = tmp_path / "set/ground_truth/hole/0_mask.png"
    mask.parent.mkdir(parents=True)
    cv2.imwrite(str(mask), np.pad(np.full((5, 6), 255, np.uint8), ((4, 11), (10, 14))))
    return tmp_path / "set"


def test_it_tells_what_was_written(sightline: Callable[..., CompletedProcess[str]], masked: Path) -> None:
    target = masked.parent / "coco"
    done = sightline("data", "convert", masked, target, "--to", "coco")
    assert done.returncode == 0
    assert done.stdout == f"{target}: 3 pictures and 1 annotations as coco, from mvtec\n"
    assert sorted(picture.split for picture in open_labelled(target).pictures) == ["test", "train", "train"]


def test_json_counts_both_sides(document: Callable[..., Any], masked: Path) -> None:
    told = document("data", "convert", masked, masked.parent / "b", "--to", "yolo", "--lossy", "--from", "mvtec")
    assert told["from"]["pictures"] == [
        {"split": "train", "label": "good", "pictures": 2},
        {"split": "test", "label": "hole", "pictures": 1},
    ]
    assert told["to"]["annotations"] == {"hole": 1}
    assert told["lost"] == ["1 outlines or masks become boxes"]


def test_a_loss_is_refused_in_one_line_and_told_when_accepted(
    sightline: Callable[..., CompletedProcess[str]], refused: Callable[..., str], masked: Path
) -> None:
    target = masked.parent / "b"
    line = refused("data", "convert", masked, target, "--to", "classes")
    assert line.startswith(f"{masked}: classes cannot carry all of it: 1 pictures are for validation or test")
    assert line.endswith("Convert it all the same with --lossy.")
    assert not target.exists()
    done = sightline("data", "convert", masked, target, "--to", "classes", "--lossy")
    assert "  lost: 1 annotations are left out; only the picture's label stays\n" in done.stdout
    assert sorted(path.relative_to(target).as_posix() for path in target.rglob("*.png")) == [
        "good/0.png",
        "good/1.png",
        "hole/0.png",
    ]


def test_a_prefix_stands_in_the_import_file(document: Callable[..., Any], masked: Path) -> None:
    target = masked.parent / "b"
    document("data", "convert", masked, target, "--to", "vertex-jsonl-boxes", "--lossy", "--prefix", "gs://bucket/p")
    lines = [json.loads(line) for line in (target / "import.jsonl").read_text().splitlines()]
    assert lines[0]["imageGcsUri"].startswith("gs://bucket/p/images/")
    (box,) = lines[2]["boundingBoxAnnotations"]
    assert [box[key] for key in ("xMin", "yMin", "xMax", "yMax")] == pytest.approx([10 / 30, 0.2, 16 / 30, 0.45])


def test_an_unknown_format_is_wrong_usage(sightline: Callable[..., CompletedProcess[str]], masked: Path) -> None:
    assert sightline("data", "convert", masked, masked.parent / "b", "--to", "tfrecord").returncode == 2
    assert sightline("data", "convert", masked, masked.parent / "b").returncode == 2
