"""From a recipe to a station at work: what it opens, what it says, and how it changes recipes."""

import json
import re
import socket
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import cv2
import numpy as np
import pytest
from tests.line.deadline import until

from sightline.devices.clock import MonotonicClock
from sightline.devices.sim_belt import BeltConfig
from sightline.devices.sim_camera import SimCamera, SimConfig, SimDevice
from sightline.devices.sim_plc import SimPlc, SimPlcConfig
from sightline.errors import DeviceLost, OptionError
from sightline.line import plan
from sightline.line.cameras import Cameras
from sightline.line.history import History, verify
from sightline.line.photographer import Photographer
from sightline.records import Frame, Verdict

pytest.importorskip("prometheus_client")

from sightline.line.assembly import Line, open_station

RECIPE = """
product = "part {number}"
number = {number}
window_ms = 3000

[plc]
kind = "sim"
{plc}

[[views]]
name = "top"
model = "{model}"
{view}

[views.camera]
kind = "sim"
pictures = "pictures"

[store]
folder = "records"

[pages]
status_port = {port}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With three pictures whose brightest value is 90; the model rejects from 100 on."""
    (tmp_path / "pictures").mkdir()
    for seed in range(3):
        pixels = np.random.default_rng(seed).integers(20, 91, (24, 32)).astype(np.uint8)
        pixels[0, 0] = 90
        assert cv2.imwrite(str(tmp_path / f"pictures/{seed}.png"), pixels)
    return tmp_path


@pytest.fixture
def write(folder: Path, brightness: Path) -> Callable[..., Path]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    def write(number: int, *, view: str = "", plc: str = "", model: Path = brightness, name: str = "") -> Path:
        path = folder / (name or f"{number}.toml")
        path.write_text(RECIPE.format(number=number, model=model, view=view, plc=plc, port=port), "utf-8")
        return path

    return write


@pytest.fixture
def conveyor(monkeypatch: pytest.MonkeyPatch) -> SimPlc:
    """The PLC that every recipe comes to; patient, as the machine may be busy."""
    belt = BeltConfig(speed_mm_s=400.0, gate_mm=2000.0, pitch_mm=(250.0, 250.0))
    sim = SimPlc(MonotonicClock(), SimPlcConfig(belt=belt, trigger_timeout_s=5.0))

    monkeypatch.setattr("sightline.line.assembly.open_plc", lambda name, config: sim)
    return sim


@contextmanager
def running(recipe: Path, conveyor: SimPlc) -> Iterator[Line]:
    """The conveyor moves as soon as the station is ready."""
    with closing(open_station(recipe, name="test")) as line:
        thread = threading.Thread(target=line.run, name="line")
        thread.start()
        try:
            until(lambda: line.station.board.status()["word"] in ("READY", "WAITING"), 90.0)
            conveyor.start()
            yield line
        finally:
            line.station.stop()
            thread.join(60.0)
            assert not thread.is_alive()


def get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=30) as answer:
        return bytes(answer.read())


def verdicts(folder: Path) -> dict[str, set[Verdict]]:
    """By product, those of judged parts."""
    found: dict[str, set[Verdict]] = {}
    with closing(History(folder / "records/records.db")) as history:
        for record in history.newest(10_000):
            if record.verdict is not Verdict.FAULT:
                found.setdefault(json.loads(record.document)["product"], set()).add(record.verdict)
    return found


def devices(url: str) -> dict[str, str]:
    """The state of each, by name."""
    return {row["name"]: row["state"] for row in json.loads(get(f"{url}status.json"))["devices"]}


def test_a_recipe_runs_changes_and_leaves_nothing_behind(
    folder: Path, write: Callable[..., Path], conveyor: SimPlc
) -> None:
    before = threading.active_count()
    write(2, view="reject_at = 50")
    write(3, plc="scan_s = 0.01")
    with running(write(1), conveyor) as line:
        until(lambda: verdicts(folder).get("part 1") == {Verdict.PASS}, 90.0)
        url = line.urls[0]
        until(lambda: devices(url).get("camera top", "").startswith("connected"), 30.0)  # looked at once a second
        assert devices(url).keys() == {"PLC", "camera top", "model top", "disk"}
        assert b"sightline_line_disk_free_ratio 0." in get(f"{url}metrics")
        photographer = line.station.views[0].photographer
        conveyor.ask_recipe(2)
        until(lambda: verdicts(folder).get("part 2") == {Verdict.REJECT}, 90.0)
        assert line.station.views[0].photographer is photographer
        conveyor.ask_recipe(3)
        until(lambda: any("its plc is not that" in alarm for alarm in line.station.board.status()["alarms"]), 60.0)
    assert verify(folder / "records/records.db") is None
    until(lambda: threading.active_count() <= before)


def test_a_changed_recipe_is_put_to_work_under_its_number_and_a_broken_one_is_not(
    folder: Path, write: Callable[..., Path], conveyor: SimPlc
) -> None:
    with running(write(1), conveyor) as line:
        until(lambda: verdicts(folder).get("part 1") == {Verdict.PASS}, 90.0)
        write(1, view="reject_at = 50")
        line.station.renew()
        until(lambda: verdicts(folder)["part 1"] == {Verdict.PASS, Verdict.REJECT}, 90.0)
        model = folder / "broken.sight"
        model.write_bytes(b"no model")
        write(1, model=model)
        line.station.renew()
        status = line.station.board.status
        until(lambda: any("broken.sight" in alarm for alarm in status()["alarms"]), 60.0)
        judged = status()["counts"]["REJECT"]
        until(lambda: status()["counts"]["REJECT"] > judged, 60.0)
        counts = status()["counts"]
        assert (counts["missed"], counts["FAULT"]) == (0, 0)


def test_a_camera_that_stands_still_is_found_over_a_change_of_recipe(
    folder: Path, write: Callable[..., Path], conveyor: SimPlc
) -> None:
    for picture in sorted((folder / "pictures").iterdir())[1:]:
        picture.unlink()
    with running(write(1), conveyor) as line:
        status = line.station.board.status
        until(lambda: status()["counts"]["FAULT"] >= 2, 90.0)
        view = line.station.views[0]
        line.station.renew()
        until(lambda: line.station.views[0] is not view, 90.0)
        before = status()["counts"]["FAULT"]
        until(lambda: status()["counts"]["FAULT"] >= before + 3, 90.0)
        assert status()["counts"]["PASS"] == 1, "the first picture was live"


def test_a_model_that_cannot_be_loaded_is_told_and_everything_closed(
    folder: Path, write: Callable[..., Path], conveyor: SimPlc
) -> None:
    before = threading.active_count()
    broken = folder / "broken.sight"
    broken.write_bytes(b"no model")
    with closing(open_station(write(1, model=broken), name="test")) as line, pytest.raises(OptionError, match="top"):
        line.run()
    until(lambda: threading.active_count() <= before)


def test_two_recipes_of_one_number_are_refused(write: Callable[..., Path]) -> None:
    write(1, name="a.toml")
    with pytest.raises(OptionError, match=r"recipe 1 must be in one file, found a\.toml, b\.toml"):
        open_station(write(1, name="b.toml"), name="test")


SECOND = """
[[views]]
name = "side"
model = "{model}"

[views.camera]
kind = "genicam"
{device}
"""


@pytest.mark.parametrize(
    ("devices", "message"),
    [
        pytest.param(("Acme-1", "Acme-1"), "views side and rear name one camera, Acme-1", id="the same twice"),
        pytest.param(("Acme-1", ""), "view rear takes the first camera that is found", id="any"),
        pytest.param(("Acme-1", "Acme-2"), "", id="each its own"),
    ],
)
def test_a_recipe_says_which_camera_each_view_has(
    write: Callable[..., Path], brightness: Path, devices: tuple[str, str], message: str
) -> None:
    """Cameras that were swapped or exchanged are then another device, and not taken for each other."""
    path = write(1)
    views = [SECOND.format(model=brightness, device=f'device = "{name}"' if name else "") for name in devices]
    text = path.read_text("utf-8").replace("[store]", views[0] + views[1].replace("side", "rear") + "[store]")
    path.write_text(text, "utf-8")
    if not message:
        assert len(plan.read(path).views) == 3
        return
    with pytest.raises(OptionError, match=rf"1\.toml, line \d+: views\[\d\]\.camera: {message}"):
        plan.read(path)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            'kind = "sim"\npictures',
            'kind = "sim"\ntrigger = "free"\npictures',
            r"line 17: views\[0\]\.camera\.trigger: is free",
        ),
        ("[views.camera]", "deblur = {}\n[views.camera]", r"line 15: views\[0\]\.deblur: view top: deblur needs"),
        (
            "window_ms = 3000\n",
            "gate.tracked_by = 'station'\n"
            "conveyor = { speed_mm_s = 400, gate_mm = 300, pitch_mm = 9, counts_per_mm = 1 }\n",
            r"line 4: gate: the gate would be open",
        ),
        (
            "window_ms = 3000\n",
            "conveyor = { speed_mm_s = 400, gate_mm = 9000, pitch_mm = 1 }\n",
            r"line 4: conveyor: capacity is",
        ),
    ],
)
def test_what_cannot_work_together_is_told_with_its_line(
    write: Callable[..., Path], old: str, new: str, message: str
) -> None:
    path = write(1)
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")
    with pytest.raises(OptionError, match=rf"^{re.escape(str(path))}, {message}"):
        plan.read(path)


def test_all_that_cannot_work_together_is_told_at_once(write: Callable[..., Path]) -> None:
    path = write(1)
    text = path.read_text("utf-8").replace("[views.camera]", 'deblur = {}\n[views.camera]\ntrigger = "free"')
    path.write_text(text, "utf-8")
    with pytest.raises(OptionError) as refused:
        plan.read(path)
    assert len(str(refused.value).splitlines()) == 2


MOVING = "mm_per_px = 0.1\ndeblur = {{ speed_mm_s = {speed}, angle_deg = 90 }}"


def test_movement_is_undone_where_it_is_known_and_short(folder: Path, write: Callable[..., Path]) -> None:
    def written(exposure: str, speed: float) -> Path:
        path = write(1, view=MOVING.format(speed=speed))
        camera = f'kind = "genicam"\n{exposure}'
        path.write_text(path.read_text("utf-8").replace('kind = "sim"\npictures = "pictures"', camera), "utf-8")
        return path

    recipe = plan.read(written("exposure_us = 1000", 400))
    motion = plan.view_plan(recipe, recipe.views[0], None).work.motion
    assert motion is not None
    assert motion.length_px == pytest.approx(4.0)
    assert motion.angle_deg == 90.0
    belt = "[conveyor]\nspeed_mm_s = 400\ngate_mm = 500\npitch_mm = 200\n{}\n[plc]"
    text = written("exposure_us = 1000", 200).read_text("utf-8").replace("window_ms = 3000\n", "")
    for encoder, expected in (("", None), ("counts_per_mm = 10", 2.0 / 4000)):
        path = folder / "1.toml"
        path.write_text(text.replace("[plc]", belt.format(encoder)), "utf-8")
        recipe = plan.read(path)
        assert plan.view_plan(recipe, recipe.views[0], None).px_per_count_s == pytest.approx(expected)
    with pytest.raises(OptionError, match=r"moves by 8\.0 px while exposed"):
        plan.read(written("exposure_us = 1000", 800))
    with pytest.raises(OptionError, match="exposure_us"):
        plan.read(written("", 400))


def test_paths_of_devices_count_from_the_recipes_folder(folder: Path, write: Callable[..., Path]) -> None:
    camera = plan.read(write(1)).views[0].camera
    assert isinstance(camera, SimConfig)
    assert camera.pictures == folder / "pictures"


def test_a_camera_whose_settings_stay_is_kept(folder: Path) -> None:
    cameras = Cameras()
    same, other = (SimConfig(pictures=folder / "pictures", seed=seed) for seed in (0, 1))
    with closing(cameras):
        first = cameras.lend({"top": same, "side": same})
        cameras.use(first.values())
        until(lambda: first["top"].connected and first["side"].connected)
        again = cameras.lend({"top": same, "side": other})
        assert again["top"] is first["top"]
        assert first["side"].connected  # by the recipe that is still at work
        assert not again["side"].connected
        cameras.use(again.values())
        assert first["top"].connected
        until(lambda: again["side"].connected)


def test_a_camera_that_comes_back_is_seen_before_the_next_part() -> None:
    device = SimDevice(lambda _: Frame(pixels=np.zeros((4, 4, 1), np.uint8), source="top"))
    camera = _Unplugged(SimCamera("top", device))
    photographer = Photographer("top", camera)
    with closing(photographer):
        until(lambda: str(photographer.fault).endswith("unplugged."))
        camera.gone = False
        until(lambda: photographer.connected)


class _Unplugged:
    def __init__(self, camera: SimCamera) -> None:
        self.gone, self.trigger, self.close, self._grab = True, camera.trigger, camera.close, camera.grab

    def grab(self, timeout_s: float):  # type: ignore[no-untyped-def]
        if self.gone:
            raise DeviceLost("top", "unplugged.")
        return self._grab(timeout_s)
