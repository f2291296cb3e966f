"""Which shapes are which labels, and what becomes of labels when shapes are drawn, deleted, or drawn in a hurry."""

from sightline.console.label_shapes import LabelShapes, Wanted
from sightline.console.viewer import Shape


def box(at: float, label: int | None = None) -> Shape:
    return Shape(kind="box", points=((at, at), (at + 5, at + 5)), label="dent", id="" if label is None else str(label))


def test_what_is_drawn_is_new_once() -> None:
    shapes = LabelShapes()
    assert shapes.wanted([box(1)], [], current=True) == Wanted(new=(box(1),))
    shapes.became([box(1)], [7])
    assert shapes.wanted([box(1), box(2)], [7], current=True) == Wanted(new=(box(2),))


def test_a_label_goes_with_its_shape_and_comes_back_with_it() -> None:
    shapes = LabelShapes()
    shapes.fill([box(1, 7), box(2, 8)])
    assert shapes.wanted([box(2, 8)], [7, 8], current=True) == Wanted(gone=(7,))
    assert shapes.wanted([box(1, 7), box(2, 8)], [8], current=True) == Wanted(back=(7,))


def test_a_label_goes_with_any_of_its_parts() -> None:
    shapes = LabelShapes()
    shapes.fill([box(1, 7), box(2, 7)])
    assert shapes.wanted([box(1, 7)], [7], current=True) == Wanted(gone=(7,), apart=True)


def test_labels_that_are_not_shown_stay() -> None:
    shapes = LabelShapes()
    shapes.fill([box(1, 7)])
    assert shapes.wanted([box(1, 7)], [7, 9], current=True) == Wanted()  # 9 names the whole picture


def test_of_what_was_drawn_beside_older_shapes_only_the_new_counts() -> None:
    shapes = LabelShapes()
    shapes.became([box(1)], [7])
    shapes.fill([box(1, 7), box(2, 8)])  # while the browser still had box 1 as it was drawn, and not box 2
    assert shapes.wanted([box(1), box(3)], [7, 8], current=False) == Wanted(new=(box(3),))
    shapes.became([box(3)], [9])
    shapes.fill([box(2, 8), box(3, 9)])  # box 1 was taken back; the browser did not know yet
    assert shapes.wanted([box(1), box(3)], [8, 9], current=False) == Wanted()
