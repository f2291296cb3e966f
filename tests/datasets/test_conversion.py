"""Every format gives back what it carries; between any two nothing is lost that both carry."""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from sightline.datasets.annotations import (
    Annotation,
    Geometry,
    LabelledPicture,
    LabelledSet,
    Polygon,
    Polygons,
    Rectangle,
)
from sightline.datasets.conversion import Conversion, convert, write_labelled
from sightline.datasets.fitting import Loss, fitted, lines
from sightline.datasets.formats.table import FORMATS
from sightline.datasets.geometry import encoded, pixels_of
from sightline.datasets.labelled import guessed, open_labelled
from sightline.errors import DatasetError, OptionError
from sightline.records import BoolArray

Save = Callable[..., Path]
SIZES = ((24, 32), (40, 20), (16, 16), (30, 50), (24, 32))  # height, width
READ_LIKE = {"yolo-segment": "yolo", "lookout": "ground-truth", "vertex-csv-boxes": "vertex-csv"}
READ_LIKE |= {"vertex-jsonl-boxes": "vertex-jsonl"}


def ring_mask(size: tuple[int, int] = (24, 32)) -> BoolArray:
    """A square with a hole, and a pixel apart."""
    marked = np.zeros(size, np.bool_)
    marked[4:12, 5:14] = True
    marked[6:9, 8:11] = False
    marked[14, 14] = True
    return marked


def square(left: float, top: float, side: float) -> Polygon:
    return Polygon(outline=((left, top), (left + side, top), (left + side, top + side), (left, top + side)))


def close(one: Geometry, other: Geometry, size: tuple[int, int]) -> bool:
    """Whether all corners, or else all pixels, of each of the two lie within 1 px of the other."""
    if isinstance(one, Rectangle) and isinstance(other, Rectangle):
        pairs = [(one.left, other.left), (one.top, other.top), (one.right, other.right), (one.bottom, other.bottom)]
        return all(abs(a - b) <= 1 + 1e-6 for a, b in pairs)
    if isinstance(one, Polygons) and isinstance(other, Polygons):
        rings = [[corner for part in each.parts for corner in part.outline] for each in (one, other)]
        return len(rings[0]) == len(rings[1]) and np.allclose(rings[0], rings[1], rtol=0, atol=1)
    drawn = [pixels_of(geometry, *size) for geometry in (one, other)]
    wide = [cv2.dilate(mask.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0 for mask in drawn]
    return not bool(((drawn[0] & ~wide[1]) | (drawn[1] & ~wide[0])).any())


def same(one: LabelledSet, other: LabelledSet) -> None:
    """Assert equal counts, splits, classes and pictures without annotations, and geometry within 1 px.

    Pictures are the same if their contents are, so that none may occur twice.
    """
    first, second = ({p.path.read_bytes(): p for p in dataset.pictures} for dataset in (one, other))
    assert first.keys() == second.keys()
    assert len(first) == len(one.pictures) == len(other.pictures)
    for content, a in first.items():
        b = second[content]
        assert (a.split, a.label, a.annotated) == (b.split, b.label, b.annotated), (a, b)
        assert len(a.annotations) == len(b.annotations)
        assert a.size is not None or not a.annotations
        assert paired(a.annotations, b.annotations, a.size or (0, 0)), (a.annotations, b.annotations)


def paired(some: Sequence[Annotation], others: Sequence[Annotation], size: tuple[int, int]) -> bool:
    """Whether each has one of the others for itself; one that fits several must not take another's only one."""
    if not some:
        return True
    one, rest = some[0], some[1:]
    return any(
        other.label == one.label
        and close(one.geometry, other.geometry, size)
        and paired(rest, [*others[:place], *others[place + 1 :]], size)
        for place, other in enumerate(others)
    )


@pytest.fixture(scope="session")
def pool(tmp_path_factory: pytest.TempPathFactory, save: Save) -> list[Path]:
    """One picture of each of `SIZES`; the last is called like the first."""
    root = tmp_path_factory.mktemp("pool")
    names = ("a/000.png", "a/001.png", "b/two words.png", "b/drei ä.png", "b/000.png")
    return [save(root / name, seed, size) for seed, (name, size) in enumerate(zip(names, SIZES, strict=True))]


@pytest.fixture(scope="session")
def rich(pool: list[Path]) -> LabelledSet:
    """Boxes, outlines, masks with holes, two defects in a picture, one without, three splits."""

    def picture(at: int, split: str, *annotations: Annotation) -> LabelledPicture:
        return LabelledPicture(path=pool[at], size=SIZES[at], split=split, annotations=annotations)

    box = Rectangle(left=3.25, top=4.5, right=20.0, bottom=16.75)
    pictures = (
        picture(0, "train", Annotation(label="crack", geometry=box)),
        picture(1, "test", Annotation(label="dent, deep", geometry=Polygons(parts=(square(2.3, 4.7, 12.1),)))),
        picture(2, "validation"),
        picture(
            3,
            "test",
            Annotation(label="crack", geometry=Polygons(parts=(square(1, 1, 5), square(10, 10, 6)))),
            Annotation(label="crack", geometry=Rectangle(left=30, top=5, right=50, bottom=30)),
        ),
        picture(4, "test", Annotation(label="hole", geometry=encoded(ring_mask()))),
    )
    return LabelledSet(name="rich", root=pool[0].parent.parent, pictures=pictures)


def write(dataset: LabelledSet, target: Path, name: str, *, lossy: bool = False) -> LabelledSet:
    """Written in a format and read again without being told which."""
    write_labelled(dataset, target, Conversion(format=name, lossy=lossy), progress=False)
    assert guessed(target) == READ_LIKE.get(name, name)
    return open_labelled(target)


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_gives_back_what_it_carries(name: str, rich: LabelledSet, tmp_path: Path) -> None:
    carried, _ = fitted(rich, FORMATS[name])
    same(carried, write(rich, tmp_path / "b", name, lossy=True))


@pytest.mark.parametrize("first", FORMATS)
def test_from_one_format_to_any_other_and_back_keeps_all_that_both_carry(
    first: str, rich: LabelledSet, tmp_path: Path
) -> None:
    here = write(rich, tmp_path / "a", first, lossy=True)
    lossless = 0
    for second in FORMATS:
        carried, losses = fitted(here, FORMATS[second])
        there = write(here, tmp_path / second, second, lossy=True)
        same(carried, there)
        if not losses and not fitted(there, FORMATS[first])[1]:
            lossless += 1
            same(here, write(there, tmp_path / f"{second}-back", first))
    assert lossless, "at least to itself"


points = st.tuples(st.floats(0, 1), st.floats(0, 1))
labels = st.sampled_from(["crack", "Ä & <b>", 'say "hi", 1', "it's: #2"])


@st.composite
def geometries(draw: st.DrawFn, size: tuple[int, int]) -> Geometry:
    height, width = size
    if draw(st.booleans()):
        (x0, y0), (x1, y1) = draw(points), draw(points)
        left, right = sorted((x0 * width, x1 * width))
        top, bottom = sorted((y0 * height, y1 * height))
        return Rectangle(left=left, top=top, right=right, bottom=bottom)
    if draw(st.booleans()):
        ring = draw(st.lists(points, min_size=3, max_size=6))
        return Polygons(parts=(Polygon(outline=tuple((x * width, y * height) for x, y in ring)),))
    density, seed = draw(st.floats(0.01, 0.99)), draw(st.integers(0, 2**32 - 1))
    marked = np.random.default_rng(seed).random(size) < density
    marked[draw(st.integers(0, height - 1)), draw(st.integers(0, width - 1))] = True
    return encoded(marked)


@st.composite
def annotations(draw: st.DrawFn) -> list[tuple[Annotation, ...]]:
    """For each picture of the pool."""
    return [
        tuple(Annotation(label=draw(labels), geometry=draw(geometries(size))) for _ in range(draw(st.integers(0, 3))))
        for size in SIZES
    ]


@pytest.mark.parametrize("name", [name for name in FORMATS if name not in ("classes", "mvtec")])
@settings(
    max_examples=8,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],  # shrinking takes minutes
    suppress_health_check=[HealthCheck.too_slow],
)
@given(drawn=annotations(), split=st.sampled_from(["train", "validation", "test"]))
def test_whatever_is_drawn_comes_back(
    name: str, drawn: list[tuple[Annotation, ...]], split: str, rich: LabelledSet
) -> None:
    pictures = tuple(
        replace(picture, annotations=found, split=split) for picture, found in zip(rich.pictures, drawn, strict=True)
    )
    dataset = LabelledSet(name="drawn", root=rich.root, pictures=pictures)
    with tempfile.TemporaryDirectory() as folder:
        same(fitted(dataset, FORMATS[name])[0], write(dataset, Path(folder) / "b", name, lossy=True))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("coco", []),
        ("cvat", []),
        ("label-studio", []),
        ("yolo", [Loss.OUTLINE]),
        ("voc", [Loss.OUTLINE]),
        ("yolo-segment", [Loss.PARTS, Loss.HOLES]),
        ("csv", [Loss.MERGED]),
        ("lookout", [Loss.MERGED]),
        ("mvtec", [Loss.MERGED, Loss.MASK_SPLIT]),
        ("classes", [Loss.SPLIT, Loss.PLACE]),
        ("vertex-csv", [Loss.PLACE]),
    ],
)
def test_what_is_lost_is_said_and_refused(name: str, expected: list[Loss], rich: LabelledSet, tmp_path: Path) -> None:
    losses = fitted(rich, FORMATS[name])[1]
    assert sorted(losses) == sorted(expected)
    if not expected:
        return
    with pytest.raises(DatasetError, match="--lossy") as caught:
        write_labelled(rich, tmp_path / "b", Conversion(format=name), progress=False)
    assert all(line in str(caught.value) for line in lines(losses))
    assert list(tmp_path.iterdir()) == []


def test_labels_of_pictures_stay_or_are_said_to_be_lost(tmp_path: Path, save: Save) -> None:
    for seed, place in enumerate(("good/1.png", "good/2.png", "crack/1.png", "bent pin/1.png")):
        save(tmp_path / "a" / place, seed)
    here = open_labelled(tmp_path / "a")
    assert here.labels == ("good", "bent pin", "crack")
    for name in ("csv", "mvtec", "vertex-csv", "vertex-jsonl", "ground-truth", "label-studio", "cvat", "classes"):
        assert not fitted(here, FORMATS[name])[1]
        same(here, write(here, tmp_path / name, name))
    for name in ("coco", "yolo", "voc", "lookout"):
        assert fitted(here, FORMATS[name])[1] == {Loss.LABEL: 2}


def test_pictures_that_nobody_looked_at_never_become_good(pool: list[Path], tmp_path: Path) -> None:
    pictures = tuple(
        LabelledPicture(path=path, annotated=at < 2, labels=("good",) * (at < 2)) for at, path in enumerate(pool)
    )
    dataset = LabelledSet(name="open", root=pool[0].parent, pictures=pictures)
    assert [picture.label for picture in pictures] == ["good", "good", None, None, None]
    for name in ("vertex-csv", "vertex-jsonl", "ground-truth", "label-studio"):
        same(dataset, write(dataset, tmp_path / name, name))
    for name in ("coco", "classes", "lookout"):
        carried, losses = fitted(dataset, FORMATS[name])
        assert losses == {Loss.UNLABELLED: 3}
        assert len(carried.pictures) == 2


@pytest.mark.parametrize("name", ["coco", "ground-truth", "label-studio"])
def test_confidences_come_back(name: str, rich: LabelledSet, tmp_path: Path) -> None:
    sure = Annotation(label="crack", geometry=Rectangle(left=1, top=1, right=9, bottom=9), confidence=0.75)
    dataset = replace(rich, pictures=(replace(rich.pictures[0], annotations=(sure,)),))
    assert write(dataset, tmp_path / "b", name).pictures[0].annotations == (sure,)
    assert fitted(dataset, FORMATS["voc"])[1] == {Loss.CONFIDENCE: 1}


def test_classes_keep_their_order_also_those_that_do_not_occur(rich: LabelledSet, tmp_path: Path) -> None:
    dataset = replace(rich, classes=("hole", "never", "dent, deep", "crack"))
    there = write(dataset, tmp_path / "coco", "coco")
    assert there.classes == dataset.classes
    assert write(there, tmp_path / "yolo", "yolo", lossy=True).classes == dataset.classes


def test_pictures_of_one_name_get_names_with_their_folders(rich: LabelledSet, tmp_path: Path) -> None:
    write_labelled(rich, tmp_path / "b", Conversion(format="voc", lossy=True), progress=False)
    names = sorted(path.name for path in (tmp_path / "b/JPEGImages").iterdir())
    assert names == ["001.png", "a_000.png", "b_000.png", "drei ä.png", "two words.png"]


def test_names_that_differ_in_suffix_or_case_only_do_not_meet(tmp_path: Path, save: Save) -> None:
    for seed, name in enumerate(("good/p.png", "good/P.png", "good/p.bmp", "ok/p.png", "good/p-2.png")):
        save(tmp_path / "a" / name, seed)
    same(open_labelled(tmp_path / "a"), write(open_labelled(tmp_path / "a"), tmp_path / "b", "yolo"))


def test_pictures_may_be_linked(rich: LabelledSet, tmp_path: Path) -> None:
    write_labelled(rich, tmp_path / "b", Conversion(format="coco", link=True), progress=False)
    linked = sorted((tmp_path / "b").rglob("*.png"))
    assert len(linked) == 5
    assert all(path.is_symlink() for path in linked)
    same(rich, open_labelled(tmp_path / "b"))


@pytest.mark.parametrize("name", [name for name, form in FORMATS.items() if form.has_uris])
def test_a_prefix_stands_before_each_picture_and_is_found_below_the_folder_again(
    name: str, rich: LabelledSet, tmp_path: Path
) -> None:
    carried = write(rich, tmp_path / "a", name, lossy=True)
    conversion = Conversion(format=name, prefix="gs://bucket/part 7/", lossy=True)
    write_labelled(carried, tmp_path / "b", conversion, progress=False)
    texts = [file.read_text("utf-8") for file in (tmp_path / "b").iterdir() if file.is_file()]
    assert sum(text.count("gs://bucket/part 7/images/") for text in texts) >= 5
    same(carried, open_labelled(tmp_path / "b"))


def test_a_prefix_where_pictures_have_no_uri_is_refused() -> None:
    with pytest.raises(OptionError, match="vertex-csv"):
        Conversion(format="voc", prefix="gs://b")
    with pytest.raises(OptionError, match="there is no format"):
        Conversion(format="tfrecord")


def test_an_occupied_target_stays_as_it_is(rich: LabelledSet, tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b/mine.txt").touch()
    with pytest.raises(DatasetError, match="not empty"):
        write_labelled(rich, tmp_path / "b", Conversion(format="coco"), progress=False)
    assert [path.name for path in (tmp_path / "b").iterdir()] == ["mine.txt"]


def test_nothing_is_left_where_a_picture_cannot_be_read(tmp_path: Path, save: Save) -> None:
    save(tmp_path / "a/good/1.png")
    (tmp_path / "a/good/2.png").write_bytes(b"no picture")
    with pytest.raises(DatasetError, match=r"2\.png"):
        convert(tmp_path / "a", tmp_path / "b", Conversion(format="coco"), progress=False)
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_label_that_is_no_name_of_a_folder_is_refused(rich: LabelledSet, tmp_path: Path) -> None:
    for label in ("a/b", "..", ".hidden", "OK"):
        dataset = replace(rich, pictures=(replace(rich.pictures[2], labels=(label,)),))
        with pytest.raises(DatasetError, match="folder"):
            write_labelled(dataset, tmp_path / "b", Conversion(format="classes", lossy=True), progress=False)
    assert not (tmp_path / "b").exists()


@pytest.mark.shared
@pytest.mark.parametrize(("name", "pictures", "annotations"), [("neu_det", 1800, 4189), ("x_sdd", 1360, 0)])
def test_real_sets_are_opened_whole(shared: Path, name: str, pictures: int, annotations: int) -> None:
    dataset = open_labelled(shared / "data" / name)
    assert (len(dataset.pictures), dataset.annotations) == (pictures, annotations)
    assert len(dataset.classes or dataset.labels) in (6, 7)


@pytest.mark.shared
def test_real_masks_go_through_coco_and_outlines_and_back(shared: Path, tmp_path: Path) -> None:
    whole = open_labelled(shared / "data/magnetic_tile")
    some = tuple(picture for picture in whole.pictures if picture.annotations)[::12] + whole.pictures[:5]
    here = replace(whole, pictures=some)
    same(here, write(write(here, tmp_path / "coco", "coco"), tmp_path / "back", "mvtec"))
    drawn = write(here, tmp_path / "yolo", "yolo-segment", lossy=True)
    assert {picture.label for picture in drawn.pictures} == {picture.label for picture in here.pictures}
