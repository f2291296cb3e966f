"""The time there is to judge a part, worked out by hand."""

import math

import pytest

from sightline.errors import OptionError
from sightline.line.window import working_window_s


def window(**changes: float) -> float:
    figures = {"speed_mm_s": 500.0, "distance_mm": 600.0, "plc_cycle_s": 0.01, "actuator_s": 0.05, "tolerance_mm": 15.0}
    figures |= changes
    return working_window_s(
        speed_mm_s=figures["speed_mm_s"],
        distance_mm=figures["distance_mm"],
        plc_cycle_s=figures["plc_cycle_s"],
        actuator_s=figures["actuator_s"],
        tolerance_mm=figures["tolerance_mm"],
    )


def test_two_cycles_and_the_gate_are_taken_off_the_way() -> None:
    assert window() == pytest.approx(585 / 500 - 0.02 - 0.05)
    assert window(plc_cycle_s=0.0, actuator_s=0.0, tolerance_mm=0.0) == pytest.approx(1.2)


@pytest.mark.parametrize("change", [{"actuator_s": 1.15}, {"plc_cycle_s": 0.6}, {"tolerance_mm": 600.0}])
def test_a_window_in_which_nothing_is_left_is_refused(change: dict[str, float]) -> None:
    with pytest.raises(OptionError, match="no time is left"):
        window(**change)


@pytest.mark.parametrize(
    "change", [{"speed_mm_s": 0.0}, {"distance_mm": -1.0}, {"plc_cycle_s": math.nan}, {"actuator_s": math.inf}]
)
def test_a_figure_that_cannot_be_is_refused(change: dict[str, float]) -> None:
    with pytest.raises(OptionError, match=next(iter(change))):
        window(**change)
