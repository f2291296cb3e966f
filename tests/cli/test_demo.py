"""`sightline demo`: once through on few parts, and whose folder it may fill."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import cv2
import pytest

from sightline.bundle import load

pytest.importorskip("pymodbus")
pytest.importorskip("prometheus_client")

Sightline = Callable[..., CompletedProcess[str]]
Refused = Callable[..., str]
KINDS = ["good", "crack", "dent", "discoloration", "misalignment", "missing_component", "other", "scratch"]
FIGURES = ["parts", "rejected", "escapes", "overkill", "faults", "misplaced", "latency_ms_p50", "latency_ms_p99"]
COMMAND = Path(sys.executable).with_name("sightline")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of an older demo, with a file of the user's in it."""
    folder = tmp_path_factory.mktemp("demos") / "demo"
    for name in ("parts/train/good/old.png", "overlays/old.png", "report.html", ".sightline-demo", "notes.txt"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"old")
    return folder


@pytest.fixture(scope="module")
def done(folder: Path) -> CompletedProcess[str]:
    words = [str(COMMAND), "demo", "--out", str(folder), "--parts", "20", "--line-parts", "12", "--seed", "3"]
    return subprocess.run(words, capture_output=True, text=True, check=False)


def test_it_tells_in_five_steps_what_it_does_and_where_to_look(done: CompletedProcess[str], folder: Path) -> None:
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert [line[:2] for line in lines if line[:1].isdigit()] == ["1.", "2.", "3.", "4.", "5."]
    assert all(line == line.rstrip() for line in lines)
    assert "   defects caught       " in done.stdout
    closely = done.stdout.partition("4. ")[2].splitlines()[1:9]
    assert [line.split()[0] for line in closely] == KINDS
    assert len({line.index(" score ") for line in closely}) == 1
    for place in ("report.html", "overlays", "part.sight"):
        assert any(line.startswith(f"  {folder / place} ") for line in lines)


def test_it_leaves_a_model_a_report_and_an_overlay_of_each_kind(done: CompletedProcess[str], folder: Path) -> None:
    assert load(folder / "part.sight").manifest.provenance.images == 20
    assert "rendered parts" in (folder / "report.html").read_text("utf-8")
    assert sorted(path.stem for path in (folder / "overlays").iterdir()) == sorted(KINDS)
    assert all(cv2.imread(str(path)) is not None for path in (folder / "overlays").iterdir())


def test_it_replaces_what_an_older_demo_made_and_nothing_else(done: CompletedProcess[str], folder: Path) -> None:
    assert not (folder / "parts/train/good/old.png").exists()
    assert (folder / "notes.txt").read_bytes() == b"old"
    assert sorted(path.name for path in folder.iterdir()) == [
        *(".sightline-demo", "line", "notes.txt", "overlays", "part.sight", "parts", "report.html"),
    ]


def test_as_json_it_prints_one_document(sightline: Sightline, tmp_path: Path) -> None:
    done = sightline("demo", "--out", tmp_path / "demo", "--parts", 20, "--line-parts", 12, "--json", "--quiet")
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout, parse_constant=pytest.fail)
    assert list(found) == ["seconds", "model", "report", "overlays", "evaluation", "inspections", "line"]
    assert list(found["line"])[: len(FIGURES)] == FIGURES
    assert (found["line"]["parts"], found["line"]["misplaced"]) == (12, 0)
    assert len(found["inspections"]) == len(KINDS)
    assert len(found["evaluation"]["judged"]) == 13
    assert Path(found["model"]).is_file()


def test_a_folder_that_is_not_its_own_is_refused_and_kept(refused: Refused, tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts/mine.png").write_bytes(b"mine")
    assert refused("demo", "--out", tmp_path) == (
        f"{tmp_path}: exists and was not made by a demo. Give another place with --out."
    )
    assert (tmp_path / "parts/mine.png").read_bytes() == b"mine"


def test_a_place_that_cannot_be_a_folder_is_refused(refused: Refused, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"mine")
    assert "was not made by a demo" in refused("demo", "--out", tmp_path / "file")
    assert "cannot be made (Not a directory)" in refused("demo", "--out", tmp_path / "file/demo")
    assert (tmp_path / "file").read_bytes() == b"mine"


@pytest.mark.parametrize("words", [["--parts", "19"], ["--parts", "1e6"], ["--seed", "-1"]], ids=" ".join)
def test_a_value_that_cannot_be_meant_is_wrong_usage(sightline: Sightline, tmp_path: Path, words: list[str]) -> None:
    assert sightline("demo", "--out", tmp_path / "demo", *words).returncode == 2
    assert list(tmp_path.iterdir()) == []


def test_without_a_line_it_says_nothing_of_one(sightline: Sightline, tmp_path: Path) -> None:
    done = sightline("demo", "--out", tmp_path / "demo", "--parts", 20, "--line-parts", 0, "--json")
    assert json.loads(done.stdout)["line"] is None
    assert not (tmp_path / "demo/line").exists()
