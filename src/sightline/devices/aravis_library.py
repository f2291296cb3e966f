"""The C library of Aravis 0.8 (LGPL), called through ctypes.

Its Python binding needs a PyGObject compiled for the very Python that runs, which pip cannot install without compilers
and which a virtual environment does not see. The library itself is one Debian package, and its calls let other threads
run. Only the calls a camera needs are declared here; types are those of Aravis' headers.
"""

import ctypes
import functools
from typing import Any

from sightline.errors import DeviceError

_NAMES = ("libaravis-0.8.so.0", "libgobject-2.0.so.0", "libgio-2.0.so.0", "libglib-2.0.so.0")
_OBJECT, _TEXT, _INT, _FLAG = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int64, ctypes.c_int
_FLOAT, _COUNT, _NUMBER = ctypes.c_double, ctypes.c_uint, ctypes.c_uint64
_SIZE = ctypes.POINTER(ctypes.c_size_t)

_FALLIBLE: dict[str, tuple[Any, ...]] = {  # name -> (result, *arguments); a GError** follows them
    "arv_camera_new": (_OBJECT, _TEXT),
    "arv_camera_create_stream": (_OBJECT, _OBJECT, _OBJECT, _OBJECT),
    "arv_camera_start_acquisition": (None, _OBJECT),
    "arv_camera_stop_acquisition": (None, _OBJECT),
    "arv_camera_get_payload": (_COUNT, _OBJECT),
    "arv_camera_set_acquisition_mode": (None, _OBJECT, _FLAG),
    "arv_camera_set_region": (None, _OBJECT, _FLAG, _FLAG, _FLAG, _FLAG),
    "arv_camera_set_pixel_format_from_string": (None, _OBJECT, _TEXT),
    "arv_camera_set_frame_rate": (None, _OBJECT, _FLOAT),
    "arv_camera_set_trigger": (None, _OBJECT, _TEXT),
    "arv_camera_clear_triggers": (None, _OBJECT),
    "arv_camera_software_trigger": (None, _OBJECT),
    "arv_camera_is_exposure_auto_available": (_FLAG, _OBJECT),
    "arv_camera_set_exposure_time_auto": (None, _OBJECT, _FLAG),
    "arv_camera_set_exposure_time": (None, _OBJECT, _FLOAT),
    "arv_camera_get_exposure_time": (_FLOAT, _OBJECT),
    "arv_camera_is_gain_available": (_FLAG, _OBJECT),
    "arv_camera_is_gain_auto_available": (_FLAG, _OBJECT),
    "arv_camera_set_gain_auto": (None, _OBJECT, _FLAG),
    "arv_camera_set_gain": (None, _OBJECT, _FLOAT),
    "arv_camera_get_gain": (_FLOAT, _OBJECT),
    "arv_camera_are_chunks_available": (_FLAG, _OBJECT),
    "arv_camera_set_chunks": (None, _OBJECT, _TEXT),
    "arv_camera_gv_set_packet_size": (None, _OBJECT, _FLAG),
    "arv_device_is_feature_available": (_FLAG, _OBJECT, _TEXT),
    "arv_device_is_enumeration_entry_available": (_FLAG, _OBJECT, _TEXT, _TEXT),
    "arv_device_set_string_feature_value": (None, _OBJECT, _TEXT, _TEXT),
    "arv_device_get_float_feature_value": (_FLOAT, _OBJECT, _TEXT),
    "arv_device_read_register": (_FLAG, _OBJECT, _NUMBER, ctypes.POINTER(ctypes.c_uint32)),
    "arv_chunk_parser_get_float_value": (_FLOAT, _OBJECT, _OBJECT, _TEXT),
    "arv_chunk_parser_get_integer_value": (_INT, _OBJECT, _OBJECT, _TEXT),
}
_PLAIN: dict[str, tuple[Any, ...]] = {  # name -> (result, *arguments)
    "arv_camera_get_device": (_OBJECT, _OBJECT),
    "arv_camera_is_gv_device": (_FLAG, _OBJECT),
    "arv_camera_create_chunk_parser": (_OBJECT, _OBJECT),
    "arv_gv_device_is_controller": (_FLAG, _OBJECT),
    "arv_gv_device_get_device_address": (_OBJECT, _OBJECT),
    "arv_gv_device_set_stream_options": (None, _OBJECT, _FLAG),
    "arv_stream_push_buffer": (None, _OBJECT, _OBJECT),
    "arv_stream_timeout_pop_buffer": (_OBJECT, _OBJECT, _NUMBER),
    "arv_stream_get_info_uint64_by_name": (_NUMBER, _OBJECT, _TEXT),
    "arv_buffer_new_allocate": (_OBJECT, ctypes.c_size_t),
    "arv_buffer_get_status": (_FLAG, _OBJECT),
    "arv_buffer_has_chunks": (_FLAG, _OBJECT),
    "arv_buffer_get_frame_id": (_NUMBER, _OBJECT),
    "arv_buffer_get_image_data": (_OBJECT, _OBJECT, _SIZE),
    "arv_buffer_get_image_width": (_FLAG, _OBJECT),
    "arv_buffer_get_image_height": (_FLAG, _OBJECT),
    "arv_buffer_get_image_pixel_format": (ctypes.c_uint32, _OBJECT),
    "arv_buffer_get_image_padding": (None, _OBJECT, ctypes.POINTER(_FLAG), ctypes.POINTER(_FLAG)),
    "g_inet_socket_address_get_address": (_OBJECT, _OBJECT),
    "g_inet_address_to_string": (_OBJECT, _OBJECT),
    "g_object_set": (None, _OBJECT, _TEXT, _FLAG, _OBJECT),  # one property, and None behind it
    "g_object_unref": (None, _OBJECT),
    "g_free": (None, _OBJECT),
    "g_error_free": (None, _OBJECT),
}


class _Error(ctypes.Structure):
    """GError."""

    _fields_ = (("domain", ctypes.c_uint32), ("code", ctypes.c_int), ("message", ctypes.c_char_p))


class Aravis:
    """The library as one camera calls it: what goes wrong becomes a DeviceError of that camera."""

    def __init__(self, camera: str) -> None:
        """Load the library, once per process; raises DeviceError where it is not installed."""
        self.camera = camera
        try:
            self._functions = _functions()
        except OSError as error:
            raise DeviceError(
                camera, f"Aravis is not installed ({error}). On Debian and Ubuntu: apt install libaravis-0.8-0"
            ) from error

    def call(self, name: str, *arguments: object) -> Any:
        """Call a function by its C name; text goes in as str.

        Raises:
            DeviceError: it reports an error.
        """
        function = self._functions[name]
        given = [argument.encode() if isinstance(argument, str) else argument for argument in arguments]
        if name in _PLAIN:
            return function(*given)
        error = ctypes.POINTER(_Error)()
        result = function(*given, ctypes.byref(error))
        if error:
            message = (error.contents.message or b"no reason given").decode(errors="replace")
            self._functions["g_error_free"](error)
            raise DeviceError(self.camera, f"{message}.")
        return result


@functools.cache
def _functions() -> dict[str, Any]:
    libraries = [ctypes.CDLL(name) for name in _NAMES]
    found: dict[str, Any] = {}
    for table, last in ((_FALLIBLE, [ctypes.POINTER(ctypes.POINTER(_Error))]), (_PLAIN, [])):
        for name, (result, *arguments) in table.items():
            function = next(getattr(library, name) for library in libraries if hasattr(library, name))
            function.restype, function.argtypes = result, [*arguments, *last]
            found[name] = function
    return found
