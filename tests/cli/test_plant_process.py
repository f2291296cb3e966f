"""A plant server beside a program: it is there while that is, and no longer."""

import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from tests.line.deadline import until

from sightline.cli.plant_process import plant_process
from sightline.errors import DeliveryError, StoreError

pytest.importorskip("nicegui")
KILLED = """
import sys
from pathlib import Path
from sightline.cli.plant_process import plant_process
with plant_process(Path(sys.argv[1])) as server:
    print(server.process.pid, flush=True)
    sys.stdin.read()
"""


def test_it_serves_until_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGHTLINE_SERVER_HOST", "0.0.0.0")  # another server's setting
    with plant_process(tmp_path / "plant") as server:
        server.check()
        with urllib.request.urlopen(f"{server.address}/healthz", timeout=60) as answer:
            assert answer.status == 200
    assert server.process.returncode == 0
    with pytest.raises(DeliveryError, match=r"with status 0; .*server\.log says why"):
        server.check()


def test_it_goes_when_its_program_is_killed(tmp_path: Path) -> None:
    words = [sys.executable, "-c", KILLED, str(tmp_path / "plant")]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as program:
        assert program.stdout is not None
        server = Path("/proc") / program.stdout.readline().decode().strip() / "cmdline"
        assert b"serve" in server.read_bytes()
        program.kill()
    until(lambda: not server.exists() or not server.read_bytes())


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "plant").write_bytes(b"mine")
    with pytest.raises(StoreError, match="cannot be written"), plant_process(tmp_path / "plant"):
        pass


def test_a_server_that_cannot_start_is_told(tmp_path: Path) -> None:
    (tmp_path / "plant.db").mkdir()
    with pytest.raises(DeliveryError, match=r"did not start; .*server\.log says why"), plant_process(tmp_path):
        pass
