"""What follows from a recipe, where it decides whose picture is whose and when the gate may open."""

from pathlib import Path

import pytest

from sightline.errors import OptionError
from sightline.line import plan

RECIPE = """
product = "disc"
number = 1

[plc]
{plc}

[conveyor]
speed_mm_s = {speed}
gate_mm = 900
pitch_mm = 200
counts_per_mm = 10

[gate]
tracked_by = "{tracked_by}"
before_mm = 20
after_mm = 20

[[views]]
name = "top"
model = "disc.sight"

[views.camera]
kind = "genicam"
trigger = "software"
exposure_us = 100

[store]
folder = "records"
"""
MODBUS = 'kind = "modbus"\nhost = "127.0.0.1"'
MQTT = 'kind = "mqtt"\nprefix = "line"\n[plc.broker]\nhost = "127.0.0.1"\nclear = true'
SPARKPLUG = MQTT.replace(
    'kind = "mqtt"\nprefix = "line"', 'kind = "sparkplug"\ngroup = "plant"\nnode = "line"\nbirths = "birth"'
)


def written(folder: Path, *, plc: str = MODBUS, speed: float = 400, tracked_by: str = "plc") -> Path:
    (folder / "disc.sight").touch()
    path = folder / "disc.toml"
    path.write_text(RECIPE.format(plc=plc, speed=speed, tracked_by=tracked_by), "utf-8")
    return path


@pytest.mark.parametrize(("speed", "delay_s"), [(400, 0.1), (2000, 0.04)])  # a part each 500 or 100 ms
def test_a_camera_is_triggered_before_the_next_part_is_nearer(tmp_path: Path, speed: float, delay_s: float) -> None:
    recipe = plan.read(written(tmp_path, speed=speed))
    assert plan.view_plan(recipe, recipe.views[0], None).patience.delay_s == pytest.approx(delay_s)


@pytest.mark.parametrize("plc", [MQTT, SPARKPLUG])
def test_a_station_does_not_follow_the_conveyor_through_a_broker(tmp_path: Path, plc: str) -> None:
    assert plan.way_of(plan.read(written(tmp_path, plc=plc))) is None, "a PLC of its own register may"
    with pytest.raises(OptionError, match="cannot follow the conveyor through an MQTT broker"):
        plan.read(written(tmp_path, plc=plc, tracked_by="station"))
    assert plan.way_of(plan.read(written(tmp_path, tracked_by="station"))) is not None
