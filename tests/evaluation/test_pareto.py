import pytest

from sightline.evaluation.pareto import pareto


def test_kinds_are_ordered_with_shares_that_add_up() -> None:
    found = pareto({"dent": 15, "crack": 50, "stain": 30, "burr": 5, "never": 0})
    assert [(bar.label, bar.count) for bar in found.bars] == [("crack", 50), ("stain", 30), ("dent", 15), ("burr", 5)]
    assert [bar.cumulative for bar in found.bars] == pytest.approx([0.5, 0.8, 0.95, 1.0])
    assert found.vital_few() == ("crack", "stain")
    assert found.vital_few(0.81) == ("crack", "stain", "dent")


def test_rare_kinds_are_put_together_at_the_end_and_equal_ones_go_by_name() -> None:
    found = pareto({"b": 3, "a": 3, "c": 2, "d": 2}, most=2)
    assert [(bar.label, bar.count) for bar in found.bars] == [("a", 3), ("b", 3), ("others", 4)]
    assert found.bars[-1].cumulative == 1


def test_nothing_found_is_no_bar() -> None:
    assert pareto({}).bars == ()
    assert pareto({}).vital_few() == ()
