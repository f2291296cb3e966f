"""`sightline demo`: once through on few parts, whose folder it may fill, and how the console at its end ends."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from subprocess import CompletedProcess

import cv2
import pytest
from tests.line.deadline import until

from sightline.bundle import load
from sightline.cli import demo
from sightline.line.history import History

pytest.importorskip("pymodbus")
pytest.importorskip("prometheus_client")

Sightline = Callable[..., CompletedProcess[str]]
Refused = Callable[..., str]
KINDS = ["good", "crack", "dent", "discoloration", "misalignment", "missing_component", "other", "scratch"]
FIGURES = ["parts", "rejected", "escapes", "overkill", "faults", "misplaced", "latency_ms_p50", "latency_ms_p99"]
PROGRAM = (sys.executable, "-c", "from sightline.cli.main import main; main()", "demo")
FEW = ("--parts", "20", "--line-parts", "12", "--seed", "3")
PATIENCE_S = 240.0


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
    pytest.importorskip("nicegui")
    return subprocess.run([*PROGRAM, "--out", str(folder), *FEW], capture_output=True, text=True, check=False)


def test_it_tells_in_six_steps_what_it_does_and_where_to_look(done: CompletedProcess[str], folder: Path) -> None:
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert [line[:2] for line in lines if line[:1].isdigit()] == ["1.", "2.", "3.", "4.", "5.", "6."]
    assert all(line == line.rstrip() for line in lines)
    assert "   defects caught       " in done.stdout
    closely = done.stdout.partition("4. ")[2].splitlines()[1:9]
    assert [line.split()[0] for line in closely] == KINDS
    assert len({line.index(" score ") for line in closely}) == 1
    for place in ("report.html", "overlays", "line", "plant", "part.sight"):
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
        *(".sightline-demo", "line", "notes.txt", "overlays", "part.sight", "parts", "plant", "report.html"),
    ]


def test_without_a_terminal_the_plant_has_what_the_station_recorded_and_no_process_is_left(
    done: CompletedProcess[str], folder: Path
) -> None:
    with closing(History(folder / "line/records.db")) as history:
        recorded = history.last().sequence
    counted = re.search(r"^   records  (\d+) parts, with (\d+) pictures$", done.stdout, re.MULTILINE)
    assert counted is not None, done.stdout
    assert 0 < int(counted[1]) < recorded, "the line went on"
    assert int(counted[2]) > 0
    assert f"sightline serve --dev --folder {folder / 'plant'}" in done.stdout
    assert processes_of(folder) == []


def test_ctrl_c_ends_the_line_and_the_server_and_all_is_well(tmp_path: Path) -> None:
    pytest.importorskip("nicegui")
    with at_a_terminal("--out", str(tmp_path / "demo"), *FEW, "--quiet") as (process, said):
        until(lambda: "Ctrl-C ends" in said() or process.poll() is not None, PATIENCE_S)
        address = re.search(r"http://127\.0\.0\.1:\d+", said())
        assert address is not None, said()
        before = newest(address[0])
        until(lambda: newest(address[0]) >= before + 2, PATIENCE_S)
        assert len(processes_of(tmp_path)) == 2
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE_S) == 0, said()
    with pytest.raises(urllib.error.URLError, match="refused"):
        newest(address[0])
    assert processes_of(tmp_path) == []
    assert "Traceback" not in said()
    assert "Traceback" not in (tmp_path / "demo/plant/server.log").read_text("utf-8")


def newest(address: str) -> int:
    """Number of the last part that the server has."""
    with urllib.request.urlopen(f"{address}/api/v1/inspections/since?number=0&limit=1", timeout=60) as answer:
        return int(json.load(answer)["newest"])


def processes_of(folder: Path) -> list[str]:
    """Command lines that name this folder, of processes that run."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:  # it has ended
            continue
        if str(folder) in line:
            found.append(line)
    return found


@contextmanager
def at_a_terminal(*words: str) -> Iterator[tuple[subprocess.Popen[bytes], Callable[[], str]]]:
    """The demo as a person runs it, who has no browser; what it has said is read as it comes."""
    here, there = pty.openpty()
    os.set_blocking(here, False)
    environment = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY")}
    process = subprocess.Popen(
        [*PROGRAM, *words], stdin=there, stdout=there, stderr=there, env=environment, start_new_session=True
    )
    os.close(there)
    heard = bytearray()

    def said() -> str:
        try:
            while piece := os.read(here, 65_536):
                heard.extend(piece)
        except OSError:  # nothing more now, or its end
            pass
        return heard.decode("utf-8", "replace")

    try:
        yield process, said
        said()
    finally:
        process.terminate()  # as politely as Ctrl-C, so that it takes its server along
        process.wait(PATIENCE_S)
        said()
        os.close(here)


def test_as_json_it_prints_one_document(sightline: Sightline, tmp_path: Path) -> None:
    done = sightline("demo", "--out", tmp_path / "demo", *FEW, "--no-console", "--json", "--quiet")
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout, parse_constant=pytest.fail)
    assert list(found) == ["seconds", "model", "report", "overlays", "evaluation", "inspections", "line", "console"]
    assert list(found["line"])[: len(FIGURES)] == FIGURES
    assert (found["line"]["parts"], found["line"]["misplaced"]) == (12, 0)
    assert found["console"] is None
    assert not (tmp_path / "demo/plant").exists()
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


def test_without_the_server_it_says_so_in_a_line_and_ends_as_ever(
    sightline: Sightline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "can_open", lambda: False)
    done = sightline("demo", "--out", tmp_path / "demo", *FEW, "--quiet")
    assert (done.returncode, done.stderr) == (0, "")
    assert "6. The console is left out; it needs more: pip install 'sightline[server]'\n\nDone in" in done.stdout


def test_without_a_line_it_says_nothing_of_one(sightline: Sightline, tmp_path: Path) -> None:
    done = sightline("demo", "--out", tmp_path / "demo", "--parts", 20, "--line-parts", 0, "--json")
    assert json.loads(done.stdout)["line"] is None
    assert not (tmp_path / "demo/line").exists()
