"""`sightline train`: what it writes, says and refuses."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import cv2
import pytest

from sightline.bundle import load
from sightline.models import backbone

Sightline = Callable[..., CompletedProcess[str]]
Document = Callable[..., Any]
Refused = Callable[..., str]
SMALL = ("--size", 64, "--quiet")
SHIPPED = Path(backbone.__file__).with_name("backbone.onnx")


def test_it_says_what_it_made_from_what_and_what_it_promises(sightline: Sightline, good: Path, tmp_path: Path) -> None:
    output = tmp_path / "part.sight"
    done = sightline("train", good, "-o", output, *SMALL)
    assert (done.returncode, done.stderr) == (0, "")
    model, *rows = done.stdout.splitlines()
    assert model.startswith(f"{output}: model {load(output).model_id} (patchcore) from 12 good pictures in ")
    assert [row.split()[0] for row in rows[:4]] == ["looks", "calibrated", "rule", "promise"]
    assert rows[0] == "  looks at   64 x 64 px"
    assert [row for row in rows if row.startswith("warning: 12 good pictures cannot promise 1 % overkill")]
    assert [path.name for path in tmp_path.iterdir()] == ["part.sight"]


def test_the_json_has_these_keys(document: Document, good: Path, tmp_path: Path) -> None:
    found = document("train", good, "-o", tmp_path / "part.sight", *SMALL)
    assert list(found) == [
        *(
            "model",
            "model_id",
            "method",
            "images",
            "depth",
            "working_size",
            "threshold",
            "rule",
            "promise",
            "max_overkill",
        ),
        *("seconds", "unusual", "warnings"),
    ]
    assert found["working_size"] == {"height": 64, "width": 64}
    assert found["max_overkill"] == pytest.approx(1 / 13)  # the least that 12 pictures can promise
    assert len(found["warnings"]) == 2


def test_the_same_pictures_options_and_seed_give_the_same_file(
    sightline: Sightline, trained: Path, good: Path, tmp_path: Path
) -> None:
    for seed in (0, 1):
        assert sightline("train", good, "-o", tmp_path / f"{seed}.sight", *SMALL, "--seed", seed).returncode == 0
    assert (tmp_path / "0.sight").read_bytes() == trained.read_bytes()
    assert (tmp_path / "1.sight").read_bytes() != trained.read_bytes()


def test_the_options_reach_the_model(document: Document, good: Path, tmp_path: Path) -> None:
    output = tmp_path / "part.sight"
    options = ["--size", "192x128", "--tile", 112, "--dimensions", 16, "--bank", 40, "--memory-mib", 768]
    found = document("train", good, "-o", output, *options, "--max-overkill", 0.2, "--seed", 7)
    manifest = load(output).manifest
    assert (manifest.working_size, manifest.tile) == ((128, 192), 112)
    assert (manifest.provenance.config["dimensions"], manifest.provenance.config["bank"]) == (16, 40)
    assert (manifest.provenance.seed, manifest.provenance.config["max_overkill"]) == (7, 0.2)
    assert found["max_overkill"] == pytest.approx(2 / 13)


def test_padim_and_a_backbone_of_ones_own(document: Document, good: Path, tmp_path: Path) -> None:
    options = ["--method", "padim", "--dimensions", 8, "--backbone", SHIPPED]
    assert document("train", good, "-o", tmp_path / "part.sight", *SMALL, *options)["method"] == "padim"


def test_16_bit_pictures_keep_their_depth(
    document: Document, picture: Callable[..., None], refused: Refused, tmp_path: Path
) -> None:
    for seed in range(6):
        picture(tmp_path / f"good/{seed}.png", seed, depth=12)
    output = tmp_path / "part.sight"
    document("train", tmp_path / "good", "-o", output, *SMALL, "--bit-depth", 12)
    assert load(output).manifest.input.bit_depth == 12
    message = refused("train", tmp_path / "good", "-o", output, *SMALL, "--bit-depth", 9)
    assert "which 9 bits cannot hold" in message
    assert load(output).manifest.input.bit_depth == 12


def test_a_defect_among_the_good_pictures_is_pointed_at(
    sightline: Sightline, document: Document, picture: Callable[..., None], good: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "good"
    folder.mkdir()
    for path in good.iterdir():
        os.link(path, folder / path.name)
    picture(folder / "bad.png", 77, defect=True)
    found = document("train", folder, "-o", tmp_path / "a.sight", *SMALL)
    assert Path(found["unusual"][0]["image"]).name == "bad.png"
    done = sightline("train", folder, "-o", tmp_path / "b.sight", *SMALL)
    assert "a defect among the good shows here:" in done.stdout
    assert str(folder / "bad.png") in done.stdout


def test_pictures_of_several_sizes_are_learnt_from(
    document: Document, picture: Callable[..., None], tmp_path: Path
) -> None:
    for seed in range(6):
        picture(tmp_path / f"good/{seed}.png", seed, side=96 + 16 * (seed % 2))
    assert document("train", tmp_path / "good", "-o", tmp_path / "part.sight", *SMALL)["images"] == 6


def test_an_unreadable_picture_is_left_out_and_named(
    document: Document, picture: Callable[..., None], tmp_path: Path
) -> None:
    for seed in range(5):
        picture(tmp_path / f"good/{seed}.png", seed)
    (tmp_path / "good/broken.png").write_bytes((tmp_path / "good/0.png").read_bytes()[:500])
    found = document("train", tmp_path / "good", "-o", tmp_path / "part.sight", *SMALL)
    assert found["images"] == 5
    assert found["warnings"][0].startswith(f"left out: {tmp_path / 'good/broken.png'}: ")


def test_defects_in_the_data_set_are_not_learnt_from(
    document: Document, picture: Callable[..., None], tmp_path: Path
) -> None:
    for seed in range(5):
        picture(tmp_path / f"set/ok/{seed}.png", seed)
    picture(tmp_path / "set/hole/0.png", 9, defect=True)
    found = document("train", tmp_path / "set", "-o", tmp_path / "part.sight", *SMALL)
    assert found["images"] == 5
    assert "1 picture of defects among the training pictures not learnt from: hole." in found["warnings"]


def missing(folder: Path, picture: Callable[..., None]) -> Path:
    return folder / "nowhere"


def empty(folder: Path, picture: Callable[..., None]) -> Path:
    (folder / "empty").mkdir()
    return folder / "empty"


def one_image(folder: Path, picture: Callable[..., None]) -> Path:
    picture(folder / "one/0.png", 0)
    return folder / "one"


def a_picture(folder: Path, picture: Callable[..., None]) -> Path:
    return one_image(folder, picture) / "0.png"


def two_depths(folder: Path, picture: Callable[..., None]) -> Path:
    picture(folder / "two/0.png", 0)
    picture(folder / "two/1.png", 1, depth=12)
    return folder / "two"


def all_broken(folder: Path, picture: Callable[..., None]) -> Path:
    (folder / "broken").mkdir()
    (folder / "broken/0.png").write_bytes(b"no picture")
    return folder / "broken"


def defects_alone(folder: Path, picture: Callable[..., None]) -> Path:
    picture(folder / "defects/0.png", 0)
    table = folder / "defects.csv"
    table.write_text("image,label\ndefects/0.png,crack\n")
    return table


def unknown_split(folder: Path, picture: Callable[..., None]) -> Path:
    picture(folder / "some/0.png", 0)
    table = folder / "labels.csv"
    table.write_text("image,label,split\nsome/0.png,good,trian\n")
    return table


@pytest.mark.parametrize(
    ("make", "said"),
    [
        pytest.param(make, said, id=make.__name__)
        for make, said in [
            (missing, "No such file or directory"),
            (empty, "no pictures"),
            (one_image, "1 good image is too few"),
            (a_picture, "give a folder of pictures"),
            (two_depths, "Give pictures of one depth"),
            (all_broken, "none of 1 pictures can be read"),
            (defects_alone, "no good pictures to learn from"),
            (unknown_split, '"trian" is not known'),
        ]
    ],
)
def test_data_that_cannot_be_learnt_from_is_refused_and_nothing_written(
    refused: Refused, picture: Callable[..., None], tmp_path: Path, make: Callable[..., Path], said: str
) -> None:
    data = make(tmp_path, picture)
    before = sorted(tmp_path.rglob("*"))
    message = refused("train", data, "-o", tmp_path / "part.sight", *SMALL)
    assert said in message
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("name", "said"),
    [("no/folder.sight", "make it first"), ("file/part.sight", "is a file"), ("folder", "choose another")],
)
def test_a_place_that_cannot_be_written_is_told_before_the_work(
    refused: Refused, good: Path, tmp_path: Path, name: str, said: str
) -> None:
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "folder").mkdir()
    message = refused("train", good, "-o", tmp_path / name, *SMALL)
    assert message.startswith(f"{tmp_path / name}: cannot be written (")
    assert said in message


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_write_permission_is_told(refused: Refused, good: Path, tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    assert "No permission to write there" in refused("train", good, "-o", tmp_path / "part.sight", *SMALL)


@pytest.mark.parametrize(
    "words",
    [
        *(["--size", size] for size in ("12x", "x", "0", "64x64x64", "-64", "big", "9" * 5000)),
        *(["--max-overkill", share] for share in ("0", "1", "nan", "-0.1", "1 %")),
        *(["--max-megapixels", number] for number in ("0", "nan", "inf")),
        *(["--method", "magic"], ["--tile", "0"], ["--dimensions", "0"], ["--bank", "0"], ["--memory-mib", "1"]),
        *(["--bit-depth", "8"], ["--seed", "-1"], ["--seed", str(2**64)]),
    ],
    ids=lambda words: " ".join(words)[:30],
)
def test_a_value_that_cannot_be_meant_is_wrong_usage(
    sightline: Sightline, good: Path, tmp_path: Path, words: list[str]
) -> None:
    done = sightline("train", good, "-o", tmp_path / "part.sight", *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"Invalid value for '{words[0]}'" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--size", 60], "use a multiple of"),
        (["--size", 64, "--tile", 50], "use a multiple of"),
        (["--size", 64, "--backbone", "nowhere.onnx"], "nowhere.onnx"),
        (["--size", 64, "--smallest-defect-px", 5], "the smallest defect sets the working size, and a size is given"),
        (["--size", 64, "--max-megapixels", 0.001], "none of 12 pictures can be read"),
    ],
)
def test_an_option_that_does_not_fit_is_refused_with_the_cure(
    refused: Refused, good: Path, tmp_path: Path, words: list[object], said: str
) -> None:
    assert said in refused("train", good, "-o", tmp_path / "part.sight", *words)
    assert list(tmp_path.iterdir()) == []


def test_a_failed_training_keeps_the_model_that_was_there(refused: Refused, model: Path, tmp_path: Path) -> None:
    before = model.read_bytes()
    refused("train", tmp_path / "nowhere", "-o", model, *SMALL)
    assert model.read_bytes() == before
    assert [path.name for path in model.parent.iterdir()] == [model.name]


def test_the_json_of_a_failure_is_no_half_document(sightline: Sightline, tmp_path: Path) -> None:
    done = sightline("train", tmp_path / "nowhere", "-o", tmp_path / "part.sight", "--json")
    assert (done.returncode, done.stdout) == (1, "")
    with pytest.raises(json.JSONDecodeError):
        json.loads(done.stderr)


def test_a_model_is_extended_and_says_by_how_much(
    document: Document, picture: Callable[..., None], model: Path, tmp_path: Path
) -> None:
    for seed in range(6):
        picture(tmp_path / f"new/{seed}.png", 50 + seed)
    before, output = load(model), tmp_path / "next.sight"
    found = document("train", tmp_path / "new", "--extend", model, "--window", 10, "-o", output, "--quiet")
    assert (found["extended_from"], found["added"], found["forgotten"]) == (before.model_id, 6, 8)
    assert (found["images"], found["model_id"]) == (10, load(output).model_id)
    assert found["working_size"] == {"height": 64, "width": 64}
    assert document("inspect", output, tmp_path / "new/0.png")["inspections"][0]["verdict"] == "PASS"


def test_what_extending_keeps_may_be_stated_but_not_changed(
    sightline: Sightline, refused: Refused, picture: Callable[..., None], model: Path, tmp_path: Path
) -> None:
    picture(tmp_path / "new/0.png", 50)
    words = ("train", tmp_path / "new", "--extend", model, "-o", tmp_path / "next.sight", "--quiet")
    assert "its working size (height, width) is (64, 64), not (96, 96)" in refused(*words, "--size", 96)
    assert "its seed is 0, not 3" in refused(*words, "--seed", 3)
    assert "its method is patchcore, not padim" in refused(*words, "--method", "padim")
    assert "its prior on position is True, not False" in refused(*words, "--no-position-prior")
    done = sightline(*words, "--smallest-defect-px", 5)
    assert done.returncode == 2
    assert "--extend keeps it" in done.stderr
    assert sightline(*words, "--size", 64, "--seed", 0, "--method", "patchcore").returncode == 0


def test_the_prior_on_position_can_be_left_out(document: Document, good: Path, tmp_path: Path) -> None:
    made = {}
    for name, words in {"with": (), "without": ("--no-position-prior",)}.items():
        document("train", good, "-o", tmp_path / f"{name}.sight", *SMALL, *words)
        made[name] = load(tmp_path / f"{name}.sight").manifest.provenance.config["position_prior"]
    assert made == {"with": True, "without": False}


def test_the_smallest_defect_sets_the_working_size(document: Document, good: Path, tmp_path: Path) -> None:
    found = document("train", good, "-o", tmp_path / "part.sight", "--smallest-defect-px", 100, "--quiet")
    assert min(found["working_size"].values()) == 256


def test_a_window_is_for_extending_only(sightline: Sightline, good: Path, tmp_path: Path) -> None:
    done = sightline("train", good, "-o", tmp_path / "part.sight", "--window", 50)
    assert done.returncode == 2
    assert "--window is for --extend MODEL" in done.stderr


def test_a_hybrid_is_trained_told_taught_and_read_from_the_command_line(
    sightline: Sightline, document: Document, picture: Callable[..., None], tmp_path: Path
) -> None:
    for seed in range(20):
        picture(tmp_path / f"parts/good/{seed}.png", seed)
    for label, value in (("hole", 0), ("burr", 255)):
        for seed in range(6):
            path = tmp_path / f"parts/{label}/{seed}.png"
            picture(path, 100 + seed + value)
            pixels = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
            assert pixels is not None
            pixels[40:56, 30 + seed : 46 + seed] = value
            cv2.imwrite(str(path), pixels)
    model = tmp_path / "part.sight"
    found = document("train", tmp_path / "parts", "-o", model, "--method", "hybrid", "--epochs", 0, "--size", 96)
    assert (found["method"], [one["name"] for one in found["classes"]]) == ("patchcore", ["burr", "hole"])
    said = sightline("info", model).stdout
    assert "class       burr  5 pictures" in said
    inspected = document("inspect", model, tmp_path / "parts/hole/0.png")["inspections"][0]
    assert (inspected["verdict"], inspected["named"]) == ("REJECT", inspected["defects"][0]["label"])
    done = sightline("train", tmp_path / "parts", "-o", model, "--method", "hybrid", "--min-recall", "hole=0.9")
    assert (done.returncode, "no effect with --method hybrid" in done.stderr) == (2, True)
