"""A GigE Vision camera on 127.0.0.1 that serves given pictures: `fake_camera.py SERIAL PICTURES.npz`, until killed.

PICTURES.npz holds `size` (width, height) and, under each pixel format's PFNC code in decimal, an array (N, bytes).
A process of its own, as Aravis does not reach a camera in the same one. Prints a line when it is ready.
"""

import ctypes
import itertools
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

WIDTH, HEIGHT, PIXEL_FORMAT = 0x100, 0x104, 0x128  # registers of Aravis' fake camera
FILL = ctypes.CFUNCTYPE(
    None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint32, ctypes.c_uint32, ctypes.c_uint32
)  # buffer, user data, exposure, gain, pixel format
FURTHER_FORMATS = {"Mono10p": 0x010A0046, "Mono12p": 0x010C0047, "Mono12Packed": 0x010C0006, "BayerRG12": 0x01100011}
THERMOMETER = '<Float Name="DeviceTemperature"><Value>41.5</Value><Min>-40</Min><Max>120</Max></Float>'


def library() -> ctypes.CDLL:
    found = ctypes.CDLL("libaravis-0.8.so.0")
    found.arv_fake_camera_new.restype = ctypes.c_void_p
    found.arv_fake_camera_get_genicam_xml.restype = ctypes.c_void_p
    found.arv_fake_camera_get_genicam_xml.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
    found.arv_gv_fake_camera_new_full.restype = ctypes.c_void_p
    found.arv_gv_fake_camera_get_fake_camera.restype = ctypes.c_void_p
    found.arv_gv_fake_camera_get_fake_camera.argtypes = [ctypes.c_void_p]
    found.arv_fake_camera_write_register.argtypes = [ctypes.c_void_p, ctypes.c_uint32, ctypes.c_uint32]
    found.arv_fake_camera_set_fill_pattern.argtypes = [ctypes.c_void_p, FILL, ctypes.c_void_p]
    found.arv_fake_camera_get_payload.restype = ctypes.c_size_t
    found.arv_fake_camera_get_payload.argtypes = [ctypes.c_void_p]
    found.arv_buffer_get_data.restype = ctypes.c_void_p
    found.arv_buffer_get_data.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
    return found


def description(aravis: ctypes.CDLL) -> str:
    """The fake camera's own GenICam file, with a thermometer and pixel formats that it lacks."""
    size = ctypes.c_size_t()
    address = aravis.arv_fake_camera_get_genicam_xml(aravis.arv_fake_camera_new(b"any"), ctypes.byref(size))
    text = ctypes.string_at(address, size.value).decode().rstrip("\0")
    entries = "".join(
        f'<EnumEntry Name="{name}"><Value>{code}</Value></EnumEntry>' for name, code in FURTHER_FORMATS.items()
    )
    text = text.replace('<EnumEntry Name="Mono8"', entries + '<EnumEntry Name="Mono8"', 1)
    return text.replace('<Integer Name="SensorHeight"', THERMOMETER + '<Integer Name="SensorHeight"', 1)


def main(serial: str, pictures: Path) -> None:
    aravis = library()
    with np.load(pictures) as stored:
        width, height = (int(side) for side in stored["size"])
        served = {int(name): itertools.cycle(stored[name]) for name in stored.files if name.isdecimal()}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "camera.xml"
        path.write_text(description(aravis))
        server = aravis.arv_gv_fake_camera_new_full(b"127.0.0.1", serial.encode(), str(path).encode())
        camera = aravis.arv_gv_fake_camera_get_fake_camera(server)
    aravis.arv_fake_camera_write_register(camera, WIDTH, width)
    aravis.arv_fake_camera_write_register(camera, HEIGHT, height)
    aravis.arv_fake_camera_write_register(camera, PIXEL_FORMAT, next(iter(served)))

    def fill(buffer: int, _data: Any, _exposure: int, _gain: int, pixel_format: int) -> None:
        picture = next(served[pixel_format])
        room = aravis.arv_fake_camera_get_payload(camera)  # what the buffer says of its size here is not so
        ctypes.memmove(aravis.arv_buffer_get_data(buffer, None), picture.ctypes.data, min(room, picture.nbytes))

    kept = FILL(fill)
    aravis.arv_fake_camera_set_fill_pattern(camera, kept, None)
    print("ready", flush=True)
    while True:
        time.sleep(3600)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
