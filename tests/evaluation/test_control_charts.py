import math

import pytest

from sightline.errors import OptionError
from sightline.evaluation.control_charts import ControlChart, Subgroup, p_chart, u_chart
from sightline.evaluation.nelson_rules import RULES, signals

JUICE = [12, 15, 8, 10, 4, 7, 16, 9, 14, 10, 5, 6, 17, 12, 22, 8, 10, 5, 13, 11, 20, 18, 24, 15, 9, 12, 7, 13, 9, 6]
ORDERS = [
    *((12, 100), (8, 80), (6, 80), (9, 100), (10, 110), (12, 110), (11, 100), (16, 100), (10, 90), (6, 90)),
    *((20, 110), (15, 120), (9, 120), (8, 120), (6, 110), (8, 80), (10, 80), (7, 80), (5, 90), (8, 100)),
    *((5, 100), (8, 100), (10, 100), (6, 90), (9, 90)),
]
SHIPMENTS = [2, 3, 8, 1, 1, 4, 1, 4, 5, 1, 8, 2, 4, 3, 4, 1, 8, 3, 7, 4]
CLOTH = [
    *((14, 10.0), (12, 8.0), (20, 13.0), (11, 10.0), (7, 9.5)),
    *((10, 10.0), (21, 12.0), (16, 10.5), (19, 12.0), (23, 12.5)),
]


def groups(counts: list[tuple[int, float]]) -> list[Subgroup]:
    return [Subgroup(name=str(at), count=count, size=size) for at, (count, size) in enumerate(counts, 1)]


def beyond(chart: ControlChart) -> list[str]:
    return [point.name for point in chart.points if 1 in point.rules]


def test_p_chart_of_montgomery_table_7_1() -> None:
    chart = p_chart(groups([(count, 50) for count in JUICE]))
    assert chart.centre == pytest.approx(0.2313, abs=5e-5)
    assert (chart.points[0].low, chart.points[0].high) == pytest.approx((0.0524, 0.4102), abs=5e-5)
    assert beyond(chart) == ["15", "23"]
    assert not chart.provisional


def test_p_chart_with_varying_sizes_of_montgomery_table_7_4() -> None:
    chart = p_chart(groups([(count, size) for count, size in ORDERS]))
    assert chart.centre == pytest.approx(234 / 2450)
    assert chart.points[10].high == pytest.approx(0.0955 + 3 * math.sqrt(0.0955 * 0.9045 / 110), abs=1e-4)
    assert chart.points[1].high > chart.points[11].high, "fewer parts, wider limits"
    assert beyond(chart) == ["11"]


def test_u_chart_of_montgomery_table_7_10() -> None:
    chart = u_chart(groups([(count, 50) for count in SHIPMENTS]))
    assert chart.centre == pytest.approx(0.0740)
    assert (chart.points[0].low, chart.points[0].high) == pytest.approx((0, 0.1894), abs=5e-5)
    assert beyond(chart) == []


def test_u_chart_with_varying_sizes_of_montgomery_table_7_11() -> None:
    chart = u_chart(groups(CLOTH))
    assert chart.centre == pytest.approx(1.42, abs=0.005)
    assert (chart.points[0].low, chart.points[0].high) == pytest.approx((0.29, 2.55), abs=0.01)
    assert beyond(chart) == []
    assert chart.provisional


def test_a_centre_from_a_stable_period_is_kept() -> None:
    chart = p_chart(groups([(count, 50) for count in JUICE]), centre=0.15)
    assert chart.centre == 0.15
    assert len(beyond(chart)) > 2
    assert chart.given
    assert not chart.provisional


def test_periods_without_parts_are_left_out_and_nothing_bad_has_no_signal() -> None:
    chart = p_chart(groups([(0, 100), (0, 0), (0, 50)]))
    assert [point.name for point in chart.points] == ["1", "3"]
    assert chart.signals == ()


def test_anything_above_a_centre_of_0_is_beyond() -> None:
    assert beyond(u_chart(groups([(0, 10), (1, 10)]), centre=0)) == ["2"]


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        pytest.param([], "no part was inspected", id="none"),
        pytest.param([(0, 0)], "no part was inspected", id="empty"),
        pytest.param([(3, 2)], "3 of 2 parts", id="more than all"),
        pytest.param([(-1, 2)], "cannot have been counted", id="negative"),
        pytest.param([(1, math.nan)], "cannot have been counted", id="nan"),
    ],
)
def test_what_cannot_be_charted_is_refused(counts: list[tuple[int, float]], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        p_chart(groups(counts))


@pytest.mark.parametrize("centre", [-0.1, 1.1, math.nan])
def test_a_centre_that_is_no_share_is_refused(centre: float) -> None:
    with pytest.raises(OptionError, match="the centre of a p-chart"):
        p_chart(groups([(1, 10)]), centre)


# for each rule points that just break it, and where; without the last one they do not
NELSON = {
    1: ([0.5, 3.01], (1,)),
    2: ([-0.1, *[0.4, 0.6] * 4, 0.5], tuple(range(1, 10))),
    3: ([0.5, -0.9, -0.5, -0.2, 0.1, 0.4, 0.7], (1, 2, 3, 4, 5, 6)),
    4: ([0.3, -0.3] * 7, tuple(range(14))),
    5: ([0.0, 2.1, 0.2, 2.5], (1, 3)),
    6: ([-0.5, -1.1, -1.2, -0.1, -1.3, -1.4], (1, 2, 4, 5)),
    7: ([0.5, -0.4, -0.3] * 5, tuple(range(15))),
    8: ([1.2, -1.3, -1.4, 1.5, 1.3, -1.2, 1.6, -1.1], tuple(range(8))),
}


@pytest.mark.parametrize("rule", sorted(NELSON))
def test_each_nelson_rule_needs_its_last_point(rule: int) -> None:
    points, concerned = NELSON[rule]
    assert [signal.points for signal in signals(points) if signal.rule == rule] == [concerned]
    assert [signal for signal in signals(points[:-1]) if signal.rule == rule] == []
    mirrored = [signal.points for signal in signals([-z for z in points]) if signal.rule == rule]
    assert mirrored == [concerned]


def test_points_on_a_border_do_not_break_a_rule() -> None:
    assert signals([3.0, 0.5]) == ()
    assert signals([0.2] * 4 + [0.0] + [0.2] * 4) == (), "a point on the centre is on neither side"
    assert [one.rule for one in signals([2.0, 2.0, 0.0])] == []


def test_a_longer_run_is_one_signal_and_two_runs_are_two() -> None:
    assert [one.points for one in signals([0.5, 0.6] * 6) if one.rule == 2] == [tuple(range(12))]
    two = [3.5, *[0.1] * 2, -3.5]
    assert [one.points for one in signals(two) if one.rule == 1] == [(0,), (3,)]


def test_the_rules_are_nelsons_eight() -> None:
    assert [(rule.number, rule.length) for rule in RULES] == [
        *((1, 1), (2, 9), (3, 6), (4, 14), (5, 3), (6, 5), (7, 15), (8, 8))
    ]
