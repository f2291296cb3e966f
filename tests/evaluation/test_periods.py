from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from sightline.errors import OptionError
from sightline.evaluation.periods import Calendar, Step, edges, moment

BERLIN = Calendar(zone="Europe/Berlin")


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Europe/Berlin")).timestamp()


def test_shifts_join_and_the_night_belongs_to_the_day_it_began() -> None:
    shifts = BERLIN.periods(at("2026-01-15T00:00"), at("2026-01-16T00:00"), Step.SHIFT)
    assert [one.name[5:] for one in shifts] == ["01-14 22:00", "01-15 06:00", "01-15 14:00", "01-15 22:00"]
    assert [one.end_s for one in shifts[:-1]] == [one.begin_s for one in shifts[1:]]
    assert edges(shifts) == (*(one.begin_s for one in shifts), shifts[-1].end_s)


@pytest.mark.parametrize(
    ("day", "hours"),
    [
        pytest.param("2026-03-28", 7, id="clocks go forward"),
        pytest.param("2026-10-24", 9, id="clocks go back"),
        pytest.param("2026-06-01", 8, id="neither"),
    ],
)
def test_the_night_in_which_clocks_change_is_an_hour_shorter_or_longer(day: str, hours: int) -> None:
    night = BERLIN.shift_at(at(f"{day}T23:00"))
    assert night.name == f"{day} 22:00"
    assert (night.end_s - night.begin_s) / 3600 == hours


def test_days_have_23_24_or_25_hours() -> None:
    days = BERLIN.periods(at("2026-10-24T05:00"), at("2026-10-27T00:00"), Step.DAY)
    assert [one.name for one in days] == ["2026-10-24", "2026-10-25", "2026-10-26"]
    assert [(one.end_s - one.begin_s) / 3600 for one in days] == [24, 25, 24]


def test_the_hour_that_comes_twice_has_two_names() -> None:
    hours = BERLIN.periods(at("2026-10-25T01:00"), at("2026-10-25T04:00"), Step.HOUR)
    assert [one.name[11:] for one in hours] == ["01:00", "02:00 CEST", "02:00 CET", "03:00"]


def test_a_boundary_belongs_to_what_begins_there() -> None:
    assert BERLIN.shift_at(at("2026-01-15T14:00")).name == "2026-01-15 14:00"
    assert BERLIN.shift_at(at("2026-01-15T13:59:59")).name == "2026-01-15 06:00"


def test_hours_are_those_of_utc_where_the_zone_is_half_an_hour_off() -> None:
    kolkata = Calendar(zone="Asia/Kolkata")
    assert kolkata.periods(3600 * 10, 3600 * 11, Step.HOUR)[0].name == "1970-01-01 15:30"


@pytest.mark.parametrize(
    ("zone", "shifts", "said"),
    [
        ("Europe/Atlantis", ("06:00",), "Europe/Atlantis"),
        ("../../etc/passwd", ("06:00",), "time zone"),
        ("Europe", ("06:00",), "time zone"),
        ("UTC", (), "give the times"),
        ("UTC", ("14:00", "06:00"), "earliest first"),
        ("UTC", ("06:00", "06:00"), "earliest first"),
        ("UTC", ("6 o'clock",), "like 06:00"),
        ("UTC", ("06:00+01:00",), "local time"),
    ],
)
def test_a_calendar_that_cannot_be_is_refused(zone: str, shifts: tuple[str, ...], said: str) -> None:
    with pytest.raises(OptionError, match=said):
        Calendar(zone=zone, shifts=shifts)


@pytest.mark.parametrize(("since", "until"), [(5.0, 5.0), (6.0, 5.0), (-1.0, 5.0), (0.0, 1e18), (0.0, float("nan"))])
def test_times_out_of_order_are_refused(since: float, until: float) -> None:
    with pytest.raises(OptionError, match="begin and an end"):
        BERLIN.periods(since, until, Step.DAY)


def test_no_more_periods_than_anybody_reads() -> None:
    with pytest.raises(OptionError, match="more than 1000 hours"):
        BERLIN.periods(0, 3600 * 1001, Step.HOUR)


def test_a_moment_is_read_as_local_unless_it_says_otherwise() -> None:
    assert moment("2026-07-01T06:00", BERLIN) == moment("2026-07-01T04:00:00Z", BERLIN) == at("2026-07-01T06:00")
    with pytest.raises(OptionError, match="yesterday"):
        moment("yesterday", BERLIN)
