"""The command itself: help, version, exit statuses, pipes, terminals and interruption."""

import os
import pty
import signal
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess

import click
import pytest

from sightline.cli.main import cli
from sightline.errors import FrameError

Sightline = Callable[..., CompletedProcess[str]]
ROOT = Path(__file__).resolve().parents[2]
COMMAND = Path(sys.executable).with_name("sightline")
RUNTIME = {"onnxruntime", "onnx", "cv2", "numpy"}


def commands(group: click.Group, name: str) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group, info_name=name)
    for word in group.list_commands(context):
        command = group.get_command(context, word)
        assert command is not None
        yield f"{name} {word}", command
        if isinstance(command, click.Group):
            yield from commands(command, f"{name} {word}")


COMMANDS = dict(commands(cli, "sightline"))


@pytest.mark.parametrize("words", [["--version"], ["--help"], ["trian"]])
def test_what_needs_no_model_loads_no_model_runtime(words: list[str]) -> None:
    program = f"import sys; from sightline.cli.main import run; run({words}); print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert RUNTIME.isdisjoint(done.stderr.split())


def test_the_version_is_printed() -> None:
    done = subprocess.run([COMMAND, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("sightline 0.")
    assert done.stderr == ""


def test_the_list_of_commands_is_whole_and_cuts_nothing_off(sightline: Sightline) -> None:
    done = sightline("--help")
    listed = done.stdout.partition("Commands:\n")[2].splitlines()
    assert [line.split()[0] for line in listed] == [name.split()[1] for name in COMMANDS if len(name.split()) == 2]
    assert all(line.endswith(".") and not line.endswith("...") for line in listed)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_every_option_says_what_it_does(name: str) -> None:
    command = COMMANDS[name]
    assert command.help
    silent = [option.name for option in command.params if isinstance(option, click.Option) and not option.help]
    assert silent == []


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_prints_its_help(sightline: Sightline, name: str) -> None:
    done = sightline(*name.split()[1:], "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"Usage: {name} ")


def test_the_help_has_a_short_name(sightline: Sightline) -> None:
    assert sightline("-h").stdout == sightline("--help").stdout
    assert sightline("train", "-h").stdout == sightline("train", "--help").stdout


def test_every_command_is_documented() -> None:
    page = ROOT / "docs" / "commands.md"
    if not page.is_file():
        pytest.skip(f"{page.relative_to(ROOT)} is not written yet")
    text = page.read_text("utf-8") + (ROOT / "README.md").read_text("utf-8")
    assert [name for name in COMMANDS if name not in text] == []


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(["trian"], id="unknown command"),
        pytest.param(["inspect", "--colour", "m.sight", "a.png"], id="unknown option"),
        pytest.param(["train", "good"], id="missing option"),
        pytest.param(["inspect", "m.sight"], id="missing argument"),
        pytest.param(["train", "good", "-o", "m.sight", "--size"], id="missing value"),
    ],
)
def test_wrong_usage_ends_with_2_and_says_so_on_standard_error(sightline: Sightline, words: list[str]) -> None:
    done = sightline(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Error: " in done.stderr


def callback(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """Make `sightline fail` raise."""

    def fail() -> None:
        raise error

    monkeypatch.setitem(cli.commands, "fail", click.Command("fail", callback=fail))


def test_an_error_is_one_line(monkeypatch: pytest.MonkeyPatch, sightline: Sightline) -> None:
    callback(monkeypatch, FrameError("a\nb.png: cannot\tbe read."))
    done = sightline("fail")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "sightline: error: a b.png: cannot be read.\n")


def test_ctrl_c_ends_with_130_and_one_line(monkeypatch: pytest.MonkeyPatch, sightline: Sightline) -> None:
    callback(monkeypatch, KeyboardInterrupt())
    done = sightline("fail")
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr.strip() == "sightline: interrupted; nothing half-written was left behind"


def test_a_reader_that_has_gone_is_no_reason_for_a_traceback() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "wb") as gone:  # noqa: PTH123  # a descriptor
        done = subprocess.run([COMMAND, "--help"], stdout=gone, stderr=subprocess.PIPE, check=False)
    assert (done.returncode, done.stderr) == (1, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_a_full_disk_behind_standard_output_is_told_in_one_line() -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run([COMMAND, "--help"], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.stderr == "sightline: error: output: No space left on device. Check the disk.\n"
    assert done.returncode == 1


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_a_name_that_is_no_text_can_be_printed(trained: Path, good: Path, tmp_path: Path) -> None:
    odd = tmp_path / os.fsdecode(b"caf\xe9.png")
    odd.symlink_to(good / "00.png")
    done = subprocess.run([COMMAND, "inspect", trained, odd], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.rstrip().endswith(b"caf\\udce9.png")


def on_a_terminal(words: list[object], until: bytes) -> tuple[subprocess.Popen[bytes], int, bytes]:
    """Start a command whose standard error is a terminal, and wait until that shows something."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    # a test run in the background is deaf to Ctrl-C, and so would its children be
    heard = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        process = subprocess.Popen([COMMAND, *map(str, words)], stdout=subprocess.PIPE, stderr=theirs)
    finally:
        signal.signal(signal.SIGINT, heard)
    os.close(theirs)
    seen = b""
    while until not in seen:
        seen += os.read(ours, 4096)
    return process, ours, seen


def rest(terminal: int) -> bytes:
    said = b""
    while True:
        try:
            said += os.read(terminal, 4096)
        except OSError:  # how Linux tells that the other side has closed
            os.close(terminal)
            return said


def test_ctrl_c_while_training_leaves_nothing_behind(good: Path, tmp_path: Path) -> None:
    words: list[object] = ["train", good, "-o", tmp_path / "part.sight", "--size", 512]
    process, terminal, _ = on_a_terminal(words, b"projection")
    process.send_signal(signal.SIGINT)
    said = rest(terminal)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said.rstrip().endswith(b"sightline: interrupted; nothing half-written was left behind")
    assert b"Traceback" not in said
    assert output == b""
    assert list(tmp_path.iterdir()) == []
