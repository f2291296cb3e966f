"""GenICam cameras over GigE Vision and USB3 Vision, through Aravis."""

import ctypes
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sightline.devices.aravis_library import Aravis
from sightline.devices.camera import Shot, Trigger
from sightline.devices.frame_buffer import THREAD_ENDED, Circumstances, FrameBuffer
from sightline.devices.gige_probe import GigeProbe
from sightline.errors import DeviceError, DeviceLost, FrameError, OptionError
from sightline.imaging.raw import PixelFormat, decode_raw
from sightline.records import Frame

_DRIVER_BUFFERS = 8
_LOOK_S = 0.1  # how long the thread waits for a picture before it looks whether the camera is still there
_ASK_S = 0.5  # between two questions whether it is
_TEMPERATURE_S = 10.0
_NO_PACKET_SOCKET = 1  # ARV_GV_STREAM_OPTION_PACKET_SOCKET_DISABLED: needs root, and sees nothing on some interfaces
_FIXED, _SOCKET_BYTES = 0, 16 << 20  # the system gives as much of it as net.core.rmem_max allows
_OFF = 0  # ARV_AUTO_OFF, ARV_ACQUISITION_MODE_CONTINUOUS
_COMPLETE = 0  # ARV_BUFFER_STATUS_SUCCESS
_CHUNKS = ("ExposureTime", "Gain", "EncoderValue")
_BLOCK_IDS = 0xFFFF  # GigE Vision 1: 1 to 65535, and over again

_CODES = {  # PFNC 2.4: the values on the wire
    0x01080001: PixelFormat.MONO8,
    0x01100003: PixelFormat.MONO10,
    0x010A0046: PixelFormat.MONO10P,
    0x010C0004: PixelFormat.MONO10PACKED,
    0x01100005: PixelFormat.MONO12,
    0x010C0047: PixelFormat.MONO12P,
    0x010C0006: PixelFormat.MONO12PACKED,
    0x01100007: PixelFormat.MONO16,
    0x01080008: PixelFormat.BAYER_GR8,
    0x01080009: PixelFormat.BAYER_RG8,
    0x0108000A: PixelFormat.BAYER_GB8,
    0x0108000B: PixelFormat.BAYER_BG8,
    0x01100010: PixelFormat.BAYER_GR12,
    0x01100011: PixelFormat.BAYER_RG12,
    0x01100012: PixelFormat.BAYER_GB12,
    0x01100013: PixelFormat.BAYER_BG12,
    0x010C0057: PixelFormat.BAYER_GR12P,
    0x010C0059: PixelFormat.BAYER_RG12P,
    0x010C0055: PixelFormat.BAYER_GB12P,
    0x010C0053: PixelFormat.BAYER_BG12P,
    0x02180014: PixelFormat.RGB8,
}


class Edge(StrEnum):
    """What of the electric input triggers; names of the SFNC's TriggerActivation."""

    RISING = "RisingEdge"
    FALLING = "FallingEdge"
    ANY = "AnyEdge"
    HIGH = "LevelHigh"
    LOW = "LevelLow"


@dataclass(frozen=True, slots=True, kw_only=True)
class GenicamConfig:
    """One camera and its settings. What is None stays as the camera has it; automatics are switched off in any case."""

    device: str = ""  # "Vendor-Serial" as `arv-tool-0.8` lists it, or an IP address; empty: the first that is found
    trigger: Trigger = Trigger.SOFTWARE
    line: str = "Line1"  # input for Trigger.HARDWARE, by the camera's own name
    edge: Edge = Edge.RISING
    exposure_us: float | None = None
    gain_db: float | None = None  # in the camera's own steps where it knows no decibels
    pixel_format: PixelFormat | None = None
    region: tuple[int, int, int, int] | None = None  # x, y, width, height on the sensor, px
    rate_hz: float | None = None  # for Trigger.FREE
    packet_size: int | None = None  # bytes, GigE Vision: 9000 where all of the network carries jumbo frames

    def __post_init__(self) -> None:
        for name in ("exposure_us", "rate_hz", "packet_size"):
            value = getattr(self, name)
            if value is not None and not 0 < value < 1e9:  # also true of NaN
                raise OptionError(f"{name} is {value}; give a number above 0.")
        if self.gain_db is not None and not -100 <= self.gain_db <= 1000:
            raise OptionError(f"gain_db is {self.gain_db}; give a gain in decibels.")
        if self.region is not None and (min(self.region) < 0 or 0 in self.region[2:]):
            raise OptionError(f"region is {self.region}; give x, y, width and height in pixels.")


class AravisCamera:
    """A GenICam camera that is open and takes pictures."""

    def __init__(self, name: str, config: GenicamConfig) -> None:
        """Find it, take control, set it up and start it.

        Raises:
            DeviceLost: it is not there, or somebody else controls it.
            DeviceError: it refuses a setting, or Aravis is not installed.
        """
        self._name = name
        self._config = config
        self._aravis = Aravis(name)
        self._buffer = FrameBuffer(name)
        self._lock = threading.Lock()  # held while the camera's handle is used, so that it is not released meanwhile
        self._stream: int | None = None
        self._parser: int | None = None
        self._probe: GigeProbe | None = None
        self._asked_s = self._felt_s = -_TEMPERATURE_S
        self._temperature_c: float | None = None
        try:
            self._camera: int | None = self._aravis.call("arv_camera_new", config.device or None)
        except DeviceError as error:
            raise DeviceLost(name, f"{_reason(error)} Check its power, its cable and who else has it open.") from error
        try:
            self._device: int = self._aravis.call("arv_camera_get_device", self._camera)
            self._start()
        except BaseException:
            self._release()
            raise
        self._thread = threading.Thread(target=self._run, name=f"camera {name}", daemon=True)
        self._thread.start()

    def trigger(self) -> None:
        with self._lock:
            self._buffer.check()
            if self._config.trigger is not Trigger.SOFTWARE:
                return
            try:
                self._aravis.call("arv_camera_software_trigger", self._camera)
            except DeviceError as error:
                self._buffer.lose(_reason(error))
                raise DeviceLost(self._name, _reason(error)) from error

    def grab(self, timeout_s: float) -> Shot:
        return self._buffer.take(timeout_s)

    def close(self) -> None:
        """May take some seconds where the camera is gone: Aravis says good-bye to it nevertheless."""
        answers = not self._buffer.ended
        self._buffer.close()
        self._thread.join()
        with self._lock:
            if answers and self._camera:
                with suppress(DeviceError):
                    self._aravis.call("arv_camera_stop_acquisition", self._camera)
            self._release()

    def _start(self) -> None:
        call, camera, device = self._aravis.call, self._camera, self._device
        is_gige = call("arv_camera_is_gv_device", camera)
        if is_gige and not call("arv_gv_device_is_controller", device):
            raise DeviceLost(self._name, "another program controls it. Close that one.")
        _set_up(self._aravis, camera, device, self._config)
        self._locked = _locked(self._aravis, camera, self._config)
        if call("arv_camera_are_chunks_available", camera):
            self._parser = _chunk_parser(self._aravis, camera, device)
        self._has_temperature = bool(call("arv_device_is_feature_available", device, "DeviceTemperature"))
        if is_gige:
            call("arv_gv_device_set_stream_options", device, _NO_PACKET_SOCKET)
        self._stream = call("arv_camera_create_stream", camera, None, None)
        if is_gige:
            call("g_object_set", self._stream, "socket-buffer", _FIXED, None)
            call("g_object_set", self._stream, "socket-buffer-size", _SOCKET_BYTES, None)
        for _ in range(_DRIVER_BUFFERS):
            fresh = call("arv_buffer_new_allocate", call("arv_camera_get_payload", camera))
            call("arv_stream_push_buffer", self._stream, fresh)
        if is_gige:
            self._probe = _probe(self._name, _address(self._aravis, device))
        call("arv_camera_start_acquisition", camera)

    def _run(self) -> None:
        arrivals = _Arrivals()
        try:
            while not self._buffer.ended:
                found = self._aravis.call("arv_stream_timeout_pop_buffer", self._stream, int(_LOOK_S * 1e6))
                if found:
                    self._deliver(found, arrivals)
                    self._aravis.call("arv_stream_push_buffer", self._stream, found)
                self._look()
        except DeviceError as error:
            self._buffer.lose(_reason(error))
        finally:
            self._buffer.lose(THREAD_ENDED)

    def _look(self) -> None:
        """Whether the camera is still there and ours, and how warm it is; raises DeviceError if it is not."""
        now = time.monotonic()
        if self._probe:
            if not self._probe.answers():
                raise DeviceLost(self._name, "it does not answer any more. Check its power and its cable.")
            if not self._aravis.call("arv_gv_device_is_controller", self._device):
                raise DeviceLost(self._name, "control over it is lost: it was restarted, or another program took it.")
        elif now - self._asked_s >= _ASK_S:  # the first register of every USB3 Vision device: its GenCP version
            self._asked_s = now
            self._aravis.call("arv_device_read_register", self._device, 0, ctypes.byref(ctypes.c_uint32()))
        due = self._has_temperature and now - self._felt_s >= _TEMPERATURE_S
        if due and not (self._probe and self._probe.unanswered):  # asking a camera that is gone takes seconds
            self._felt_s = now
            call = self._aravis.call
            self._temperature_c = call("arv_device_get_float_feature_value", self._device, "DeviceTemperature")

    def _deliver(self, buffer: int, arrivals: "_Arrivals") -> None:
        missed = sum(
            self._aravis.call("arv_stream_get_info_uint64_by_name", self._stream, name)
            for name in ("n_underruns", "n_missing_frames")
        )
        lost = arrivals.lost(self._aravis.call("arv_buffer_get_frame_id", buffer), missed)
        picture: Frame | FrameError
        try:
            picture = self._frame(buffer)
        except FrameError as error:
            picture = error
        self._buffer.put(picture, lost=lost, said=self._circumstances(buffer))

    def _frame(self, buffer: int) -> Frame:
        call = self._aravis.call
        status = call("arv_buffer_get_status", buffer)
        if status != _COMPLETE:
            raise FrameError(
                f"{self._name}: only a part of a picture came (Aravis' status {status}). "
                "Check cable, switch and packet size."
            )
        code = call("arv_buffer_get_image_pixel_format", buffer)
        if code not in _CODES:
            raise FrameError(f"{self._name}: pixel format 0x{code:08x} is not known; set pixel_format, to Mono8 say.")
        size, x_padding, y_padding = ctypes.c_size_t(), ctypes.c_int(), ctypes.c_int()
        data = call("arv_buffer_get_image_data", buffer, ctypes.byref(size))
        call("arv_buffer_get_image_padding", buffer, ctypes.byref(x_padding), ctypes.byref(y_padding))
        width = call("arv_buffer_get_image_width", buffer)
        height = call("arv_buffer_get_image_height", buffer)
        line = (width * _CODES[code].storage_bits + 7) // 8 + x_padding.value
        stride = line if x_padding.value else None
        used = line * height if stride else (width * height * _CODES[code].storage_bits + 7) // 8
        return decode_raw(  # copies; less than `used` is refused, more is the buffer's room
            memoryview((ctypes.c_ubyte * min(used, size.value)).from_address(data or 0)),
            pixel_format=_CODES[code],
            width=width,
            height=height,
            stride=stride,
            source=self._name,
        )

    def _circumstances(self, buffer: int) -> Circumstances:
        exposure_us = gain_db = encoder = None
        if self._parser and self._aravis.call("arv_buffer_has_chunks", buffer):
            exposure_us = self._chunk("float", buffer, "ChunkExposureTime")
            gain_db = self._chunk("float", buffer, "ChunkGain")
            encoder = self._chunk("integer", buffer, "ChunkEncoderValue")
        return Circumstances(
            exposure_us=self._locked.exposure_us if exposure_us is None else exposure_us,
            gain_db=self._locked.gain_db if gain_db is None else gain_db,
            temperature_c=self._temperature_c,
            encoder=encoder,
        )

    def _chunk(self, kind: str, buffer: int, name: str) -> Any:
        try:
            return self._aravis.call(f"arv_chunk_parser_get_{kind}_value", self._parser, buffer, name)
        except DeviceError:  # this camera, or this picture, does not carry it
            return None

    def _release(self) -> None:
        if self._probe:
            self._probe.close()
        handles = (self._parser, self._stream, self._camera)
        self._parser = self._stream = self._camera = None
        for handle in handles:
            if handle:
                self._aravis.call("g_object_unref", handle)


class _Arrivals:
    """How many frames are missing, by their ids and by the stream's own count, whichever says more.

    The stream may know of a loss before the frame that shows it by its id, so the two are compared as sums.
    """

    def __init__(self) -> None:
        self._last_id: int | None = None
        self._by_id = self._told = 0

    def lost(self, frame_id: int, missed: int) -> int:
        """Frames lost since the call before; `missed` is the stream's count since it began."""
        if self._last_id is not None:
            gap = frame_id - self._last_id
            if gap <= 0 and self._last_id <= _BLOCK_IDS:
                gap += _BLOCK_IDS
            if 0 < gap < _BLOCK_IDS // 2:  # anything else is a camera that does not count
                self._by_id += gap - 1
        self._last_id = frame_id
        lost = max(self._by_id, missed) - self._told
        self._told += lost
        return lost


def _set_up(aravis: Aravis, camera: int | None, device: int, config: GenicamConfig) -> None:
    def has(feature: str) -> bool:
        return bool(aravis.call("arv_device_is_feature_available", device, feature))

    with suppress(DeviceError):  # it may run on from a program that crashed, and most settings need it to stand still
        aravis.call("arv_camera_stop_acquisition", camera)
    if config.pixel_format:
        aravis.call("arv_camera_set_pixel_format_from_string", camera, config.pixel_format.value)
    if config.region:
        aravis.call("arv_camera_set_region", camera, *config.region)
    aravis.call("arv_camera_set_acquisition_mode", camera, _OFF)
    _set_trigger(aravis, camera, device, config)
    if aravis.call("arv_camera_is_exposure_auto_available", camera):
        aravis.call("arv_camera_set_exposure_time_auto", camera, _OFF)
    if aravis.call("arv_camera_is_gain_auto_available", camera):
        aravis.call("arv_camera_set_gain_auto", camera, _OFF)
    if has("BalanceWhiteAuto"):
        aravis.call("arv_device_set_string_feature_value", device, "BalanceWhiteAuto", "Off")
    if config.exposure_us is not None:
        aravis.call("arv_camera_set_exposure_time", camera, config.exposure_us)
    if config.gain_db is not None:
        aravis.call("arv_camera_set_gain", camera, config.gain_db)
    if config.packet_size is not None and aravis.call("arv_camera_is_gv_device", camera):
        aravis.call("arv_camera_gv_set_packet_size", camera, config.packet_size)


def _set_trigger(aravis: Aravis, camera: int | None, device: int, config: GenicamConfig) -> None:
    """One frame per trigger: TriggerSelector is FrameStart, all other triggers are off."""
    if config.trigger is Trigger.FREE:
        aravis.call("arv_camera_clear_triggers", camera)
        if config.rate_hz is not None:
            aravis.call("arv_camera_set_frame_rate", camera, config.rate_hz)
        return
    source = "Software" if config.trigger is Trigger.SOFTWARE else config.line
    if not aravis.call("arv_device_is_enumeration_entry_available", device, "TriggerSource", source):
        raise DeviceError(aravis.camera, f"it has no trigger source {source!r}. Set `line` to the name of its input.")
    aravis.call("arv_camera_set_trigger", camera, source)
    if config.trigger is Trigger.HARDWARE:
        aravis.call("arv_device_set_string_feature_value", device, "TriggerActivation", config.edge.value)


def _locked(aravis: Aravis, camera: int | None, config: GenicamConfig) -> Circumstances:
    """The exposure and gain that every picture has from now on."""
    exposure_us = _checked(aravis, camera, "exposure_time", config.exposure_us)
    has_gain = aravis.call("arv_camera_is_gain_available", camera)
    return Circumstances(
        exposure_us=exposure_us, gain_db=_checked(aravis, camera, "gain", config.gain_db) if has_gain else None
    )


def _checked(aravis: Aravis, camera: int | None, setting: str, wanted: float | None) -> float:
    """What the camera has now; DeviceError if it took something else than was asked for, as out of its range."""
    found = float(aravis.call(f"arv_camera_get_{setting}", camera))
    if wanted is not None and abs(found - wanted) > max(0.05 * abs(wanted), 0.2):
        raise DeviceError(
            aravis.camera,
            f"{setting.replace('_', ' ')} was set to {wanted:g}, but it uses {found:g}. Give what it can.",
        )
    return found


def _chunk_parser(aravis: Aravis, camera: int | None, device: int) -> int | None:
    """Switch on what the camera can say with each picture; None if that is nothing."""
    offered = [
        name
        for name in _CHUNKS
        if aravis.call("arv_device_is_enumeration_entry_available", device, "ChunkSelector", name)
    ]
    if not offered:
        return None
    aravis.call("arv_camera_set_chunks", camera, ",".join(offered))
    return int(aravis.call("arv_camera_create_chunk_parser", camera))


def _address(aravis: Aravis, device: int) -> str:
    """A GigE Vision camera's IP address."""
    socket_address = aravis.call("arv_gv_device_get_device_address", device)
    text = aravis.call("g_inet_address_to_string", aravis.call("g_inet_socket_address_get_address", socket_address))
    try:
        return ctypes.string_at(text).decode("ascii")
    finally:
        aravis.call("g_free", text)


def _probe(name: str, address: str) -> GigeProbe:
    try:
        return GigeProbe(address)
    except OSError as error:
        raise DeviceLost(name, f"no network leads to {address} ({error.strerror}). Check the cable.") from error


def _reason(error: DeviceError) -> str:
    """Its message without the device's name."""
    return str(error).removeprefix(f"{error.device}: ")
