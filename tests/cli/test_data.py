"""`sightline data`: what it prints, writes and returns."""

import json
import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result

from sightline.cli.main import cli
from sightline.datasets.csv_file import read
from sightline.errors import DatasetError, OptionError

SHARED = Path(os.environ.get("SIGHTLINE_SHARED", Path(__file__).parents[3] / "shared"))


def save(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    texture = np.random.default_rng(seed).normal(128, 60, (6, 8)).clip(0, 255)
    made, content = cv2.imencode(".png", cv2.resize(texture, (80, 60), interpolation=cv2.INTER_CUBIC).astype(np.uint8))
    assert made
    path.write_bytes(content.tobytes())


@pytest.fixture
def category(tmp_path: Path) -> Path:
    for seed in range(20):
        save(tmp_path / f"set/train/good/{seed:02}.png", seed)
    for seed in range(20, 24):
        save(tmp_path / f"set/test/crack/{seed}.png", seed)
    return tmp_path / "set"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["data", *map(str, arguments)])


def test_check_prints_a_table_and_that_all_is_well(category: Path) -> None:
    result = run("check", category)
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[:4] == ["set (mvtec), 24 pictures", "split  label  pictures", "train  good   20", "test   crack  4"]
    assert lines[-1] == "nothing to complain about"
    assert result.stderr == ""


def test_check_prints_findings_with_cures_and_ends_in_an_error(category: Path) -> None:
    save(category / "test/good/leak.png", 3)
    result = run("check", category)
    assert "ERROR: 1 picture occurs in more than one split, so a test proves nothing\n  cure: " in result.stdout
    assert "  - same file: train/good/03.png = test/good/leak.png" in result.stdout
    assert isinstance(result.exception, DatasetError)
    assert str(result.exception).startswith(f"{category}: not fit for use: 1 picture occurs")


def test_check_shortens_long_lists_and_json_has_them_all(category: Path) -> None:
    for seed in range(12):
        save(category / f"test/good/{seed}.png", seed)
    assert "  - and 2 more; --json lists all" in run("check", category).stdout
    assert len(json.loads(run("check", category, "--json").stdout)["findings"][0]["details"]) == 12


def test_check_json_is_one_document_also_when_it_fails(category: Path) -> None:
    (category / "train/good/00.png").write_bytes(b"")
    result = run("check", category, "--json")
    document = json.loads(result.stdout)
    assert document["is_usable"] is False
    assert document["pictures"] == 24
    assert document["statistics"]["counts"] == {"train": {"good": 20}, "test": {"crack": 4}}
    assert isinstance(result.exception, DatasetError)


def test_stats_prints_light_and_sizes(category: Path) -> None:
    document = json.loads(run("stats", category, "--json").stdout)
    assert document["sizes"] == {"80 x 60": 24}
    assert set(document["brightness"]) == {"good", "crack"}
    assert 0 < document["contrast"]["good"]["lowest"] < document["contrast"]["good"]["highest"] < 0.5
    assert "sizes    80 x 60 (24)" in run("stats", category).stdout


def test_split_writes_a_csv_that_is_a_data_set(category: Path, tmp_path: Path) -> None:
    output = tmp_path / "split.csv"
    result = run("split", category, "-o", output, "--fractions", "0.5/0.25/0.25", "--seed", 4)
    assert result.exit_code == 0
    assert read(output).counts == {
        "train": {"good": 10, "crack": 2},
        "validation": {"good": 5, "crack": 1},
        "test": {"good": 5, "crack": 1},
    }
    assert run("check", output).exit_code == 0


def test_split_with_the_same_seed_writes_the_same_file(category: Path, tmp_path: Path) -> None:
    for name in ("a.csv", "b.csv"):
        run("split", category, "-o", tmp_path / name, "--fractions", "0.8/0.2", "--seed", 1)
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()


def test_split_can_keep_duplicates_together(category: Path, tmp_path: Path) -> None:
    for seed in range(10):
        save(category / f"train/good/copy{seed}.png", seed)
    output = tmp_path / "split.csv"
    assert run("split", category, "-o", output, "--keep-duplicates-together").exit_code == 0
    assert run("check", output).exit_code == 0


@pytest.mark.parametrize("text", ["0.7", "a/b", "0.5/0.2/0.2/0.1", "0.7/0.7", ""])
def test_split_refuses_fractions_that_cannot_work_and_writes_nothing(category: Path, tmp_path: Path, text: str) -> None:
    result = run("split", category, "-o", tmp_path / "out.csv", "--fractions", text)
    assert isinstance(result.exception, OptionError)
    assert list(tmp_path.iterdir()) == [category]


def test_split_refuses_a_name_that_could_not_be_opened_again(category: Path) -> None:
    picture = category / "train/good/00.png"
    before = picture.read_bytes()
    assert isinstance(run("split", category, "-o", picture).exception, OptionError)
    assert picture.read_bytes() == before


def test_an_empty_folder_is_told_by_every_command(tmp_path: Path) -> None:
    for arguments in (("check", tmp_path), ("stats", tmp_path), ("split", tmp_path, "-o", tmp_path / "out.csv")):
        assert isinstance(run(*arguments).exception, DatasetError)


@pytest.mark.shared
def test_the_commutators_hold_8_pictures_in_train_and_test() -> None:
    root = SHARED / "data" / "kolektor_commutator"
    if not root.is_dir():
        pytest.skip(f"{root} is not there; set SIGHTLINE_SHARED to the folder that holds data/")
    document = json.loads(run("check", root, "--json").stdout)
    leaks = [g for g in document["duplicates"] if len({sample["split"] for sample in g["samples"]}) > 1]
    assert {group["likeness"] for group in document["duplicates"]} == {"same file"}
    assert (len(leaks), len(document["duplicates"])) == (8, 16)
