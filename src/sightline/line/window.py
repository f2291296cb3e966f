"""How long a station may take over a part, from the way between camera and gate."""

import math

from sightline.errors import OptionError


def working_window_s(
    *,
    speed_mm_s: float,
    distance_mm: float,
    plc_cycle_s: float,
    actuator_s: float,
    tolerance_mm: float = 0.0,
) -> float:
    """Time from the trigger to the last moment at which a result still reaches the gate, in seconds.

    Two cycles of the PLC are taken off: one until the trigger is out, and one until the result is in.

    Args:
        speed_mm_s: the highest speed of the conveyor.
        distance_mm: from where the part triggers to the gate, along the conveyor.
        plc_cycle_s: the PLC's longest cycle, its exchange of signals included.
        actuator_s: from the PLC's output to the gate having moved.
        tolerance_mm: the gate must have moved that far ahead of the part.

    Raises:
        OptionError: a figure cannot be, or no time is left.
    """
    figures = {"speed_mm_s": speed_mm_s, "distance_mm": distance_mm, "plc_cycle_s": plc_cycle_s}
    figures |= {"actuator_s": actuator_s, "tolerance_mm": tolerance_mm}
    for name, figure in figures.items():
        if not math.isfinite(figure) or figure < 0 or (figure == 0 and name in ("speed_mm_s", "distance_mm")):
            raise OptionError(f"{name} is {figure}; give a finite number above 0, or 0 for a time that does not count.")
    way_s = (distance_mm - tolerance_mm) / speed_mm_s
    window_s = way_s - 2 * plc_cycle_s - actuator_s
    if not window_s > 0:
        raise OptionError(
            f"no time is left to judge a part: {way_s:.3f} s from camera to gate, less two PLC cycles of "
            f"{plc_cycle_s:.3f} s and {actuator_s:.3f} s of the gate. Move the gate away from the camera, or go slower."
        )
    return window_s
