"""Error codes are stable, distinct, explained, and documented."""

import re
from pathlib import Path

from sightline.line.faults import Fault

PAGE = Path(__file__).resolve().parents[2] / "docs" / "handshake.md"


def test_the_page_has_every_code_with_its_cause_and_cure() -> None:
    rows = re.findall(r"^\| (\d+) \| (\w+) \| (.+) \| (.+) \|$", PAGE.read_text("utf-8"), re.MULTILINE)
    assert [(int(number), name, cause, cure) for number, name, cause, cure in rows] == [
        (fault.value, fault.name, fault.cause, fault.cure) for fault in Fault
    ]


def test_a_code_fits_a_register_and_belongs_to_the_station_or_to_a_part() -> None:
    assert len({fault.value for fault in Fault.__members__.values()}) == len(Fault.__members__)
    for fault in Fault:
        assert 0 <= fault < 2**16
        assert fault.of_the_station + fault.of_a_part == (fault is not Fault.NONE)


def test_the_numbers_integrators_rely_on_stay() -> None:
    stable = {"NONE": 0, "PLC_LOST": 101, "RECIPE_UNKNOWN": 103, "UNACKNOWLEDGED": 110, "MISSED_TRIGGER": 201}
    stable |= {"NO_PART_ID": 202, "REPEATED_PART_ID": 203, "LATE": 204, "DROPPED": 211}
    assert {name: Fault[name].value for name in stable} == stable
