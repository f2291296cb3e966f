"""From a recipe's table to the open camera; what cannot work is an error that names its place."""

import subprocess
import sys
from pathlib import Path

import pytest

from sightline.devices.aravis_camera import Edge, GenicamConfig
from sightline.devices.camera import Trigger
from sightline.devices.folder_camera import FolderConfig
from sightline.devices.http_camera import HttpConfig
from sightline.devices.opencv_camera import OpencvConfig
from sightline.devices.opening import KINDS, camera_config, open_camera
from sightline.devices.sim_camera import Fault, SimConfig
from sightline.errors import OptionError

ROOT = Path(__file__).resolve().parents[2]
PLACE = "recipe.toml: cameras.top"


@pytest.mark.parametrize(
    ("table", "config"),
    [
        ({"kind": "sim"}, SimConfig()),
        (
            {"kind": "sim", "faults": ["black", "lost"], "fault_share": 1, "pictures": "parts"},
            SimConfig(faults=(Fault.BLACK, Fault.LOST), fault_share=1.0, pictures=Path("parts")),
        ),
        (
            {"kind": "genicam", "trigger": "hardware", "edge": "FallingEdge", "region": [0, 0, 640, 480]},
            GenicamConfig(trigger=Trigger.HARDWARE, edge=Edge.FALLING, region=(0, 0, 640, 480)),
        ),
        ({"kind": "opencv", "source": 0}, OpencvConfig(source=0)),
        ({"kind": "opencv", "source": "rtsp://camera/line"}, OpencvConfig(source="rtsp://camera/line")),
        ({"kind": "folder", "path": "in", "backlog": True}, FolderConfig(path=Path("in"), backlog=True)),
        ({"kind": "http", "port": 8080}, HttpConfig(port=8080)),
    ],
)
def test_a_table_becomes_its_configuration(table: dict[str, object], config: object) -> None:
    assert camera_config(table, PLACE) == config


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({}, "kind is None; give one of genicam, opencv, folder, http, sim"),
        ({"kind": "webcam"}, "kind is 'webcam'"),
        ({"kind": ["sim"]}, r"kind is \['sim'\]"),
        ({"kind": "sim", "sise": 64}, "sise is no option of kind sim; there are trigger, rate_hz"),
        ({"kind": "opencv"}, "source is missing"),
        ({"kind": "opencv", "source": True}, "source is True; give a whole number or a text"),
        ({"kind": "sim", "rate_hz": "fast"}, "rate_hz is 'fast'; give a number"),
        ({"kind": "sim", "faults": ["broken"]}, "faults is 'broken'; give one of frozen"),
        ({"kind": "genicam", "region": [0, 0, 640]}, "region is .*; give a list of 4 numbers or nothing"),
        ({"kind": "genicam", "trigger": "laser"}, "trigger is 'laser'; give one of software, hardware, free"),
        ({"kind": "sim", "rate_hz": float("nan")}, "rate_hz is nan"),
    ],
)
def test_what_cannot_work_is_named(table: dict[str, object], message: str) -> None:
    with pytest.raises(OptionError, match=f"^{PLACE}: {message}"):
        camera_config(table, PLACE)


def test_it_opens_what_was_configured(tmp_path: Path) -> None:
    for config in (HttpConfig(port=0), FolderConfig(path=tmp_path), SimConfig(parts=1, size=64)):
        open_camera("top", config).close()


def test_every_kind_and_option_is_in_the_document() -> None:
    page = (ROOT / "docs" / "cameras.md").read_text("utf-8")
    for kind, config in KINDS.items():
        assert f"## `{kind}`" in page
        section = page.split(f"## `{kind}`")[1].split("\n## ")[0]
        assert [name for name in config.__slots__ if f"| `{name}` " not in section] == []


def test_importing_loads_no_device_library() -> None:
    script = "import sys, sightline.devices.opening; print(*[line.split()[-1] for line in open('/proc/self/maps')])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "libaravis" not in done.stdout
