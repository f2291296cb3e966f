"""Lists of pictures as CSV: what spreadsheets write is read, what cannot be meant is refused by line."""

from pathlib import Path

import pytest

from sightline.datasets.csv_file import read, write
from sightline.datasets.dataset import GOOD, Dataset, Sample
from sightline.datasets.opening import open_dataset
from sightline.errors import DatasetError, StoreError

TABLE = "image,label,split,mask\na.png,ok,train,\nsub/b.png,crack,test,m.png\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "sub").mkdir()
    for name in ("a.png", "sub/b.png", "m.png", "c, d.png"):
        (tmp_path / name).touch()
    return tmp_path


def table(folder: Path, content: str | bytes) -> Path:
    path = folder / "list.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(TABLE, id="plain"),
        pytest.param("\ufeff" + TABLE.replace("\n", "\r\n"), id="byte order mark, Windows line ends"),
        pytest.param(TABLE.replace(",", " , ") + "\n,,,\n", id="blanks"),
        pytest.param("label,mask,split,image\nGood,,train,a.png\ncrack,m.png,test,./sub/b.png", id="other order"),
    ],
)
def test_a_list_is_read_as_spreadsheets_write_it(folder: Path, content: str) -> None:
    dataset = open_dataset(table(folder, content))
    assert (dataset.name, dataset.layout, dataset.root) == ("list", "csv", folder)
    assert dataset.samples == (
        Sample(path=folder / "a.png", label=GOOD, split="train"),
        Sample(path=folder / "sub/b.png", label="crack", split="test", mask=folder / "m.png"),
    )


def test_image_and_label_suffice(folder: Path) -> None:
    dataset = read(table(folder, 'image,label\n"c, d.png",good\n'))
    assert dataset.samples == (Sample(path=folder / "c, d.png", label=GOOD),)


def test_paths_may_be_absolute_or_point_upwards(folder: Path) -> None:
    below = folder / "sub" / "list.csv"
    below.write_text(f"image,label\n../a.png,good\n{folder / 'm.png'},good\n")
    assert [s.path.resolve() for s in read(below).samples] == [
        (folder / "a.png").resolve(),
        (folder / "m.png").resolve(),
    ]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        pytest.param("image,split\na.png,train\n", 'lacks column "label"', id="no label"),
        pytest.param("", 'lacks column "image", "label"', id="empty file"),
        pytest.param(
            "image;label\na.png;good\n", 'lacks column "image", "label".*separated by commas', id="semicolons"
        ),
        pytest.param("image,label,maks\na.png,good,\n", 'has unknown column "maks"', id="unknown column"),
        pytest.param("image,label,label\na.png,good,good\n", 'repeats column "label"', id="column twice"),
        pytest.param("image,label,split\na.png,good,dev\n", 'line 2: split "dev" is not known', id="split word"),
        pytest.param("image,label,split\na.png,good,\n", 'line 2: split "" is not known', id="no split word"),
        pytest.param("image,label\na.png,\n", "line 2: the label is empty", id="no label word"),
        pytest.param("image,label\na.png,good\nz.png,good\n", 'line 3: there is no file "z.png"', id="no file"),
        pytest.param("image,label\nsub,good\n", 'line 2: there is no file "sub"', id="a folder"),
        pytest.param("image,label\n,good\n", 'line 2: there is no file ""', id="no name"),
        pytest.param(f"image,label\n{'x' * 5000},good\n", "line 2: there is no file", id="name too long"),
        pytest.param("image,label,mask\na.png,crack,z.png\n", 'line 2: there is no file "z.png"', id="no mask file"),
        pytest.param("image,label\na.png,good\nsub/../a.png,good\n", "line 3: .* listed in line 2 already", id="twice"),
        pytest.param("image,label\na.png,good,train\n", "line 2: 3 cells under 2 columns", id="long row"),
        pytest.param('image,label\n"a.png,good\n', "not a valid CSV", id="open quote"),
        pytest.param("image,label\n", "no pictures", id="header only"),
        pytest.param(
            "image,label\na.png,Kratzer-größe\n".encode("latin-1"), "is not UTF-8 text; save it", id="latin-1"
        ),
        pytest.param("image,label\n".encode("utf-16"), "is not UTF-8 text", id="utf-16"),
    ],
)
def test_a_list_that_cannot_be_meant_is_refused_in_one_line(folder: Path, content: str | bytes, told: str) -> None:
    with pytest.raises(DatasetError, match=told) as caught:
        read(table(folder, content))
    assert "\n" not in str(caught.value)


def test_what_is_written_is_read_back(folder: Path) -> None:
    samples = (
        Sample(path=folder / "c, d.png", label="crack", split="test", mask=folder / "m.png"),
        Sample(path=folder / "a.png", label=GOOD, split="validation"),
    )
    path = folder / "sub" / "out.csv"
    write(Dataset(name="x", root=folder, samples=samples), path)
    assert path.read_text().splitlines()[1] == '"../c, d.png",crack,test,../m.png'
    again = read(path)
    assert [(s.path.resolve(), s.label, s.split) for s in again.samples] == [
        (s.path.resolve(), s.label, s.split) for s in samples
    ]
    assert [s.mask and s.mask.resolve() for s in again.samples] == [(folder / "m.png").resolve(), None]


def test_a_list_that_cannot_be_written_leaves_nothing(folder: Path) -> None:
    dataset = Dataset(name="x", root=folder, samples=(Sample(path=folder / "a.png", label=GOOD),))
    before = sorted(folder.rglob("*"))
    with pytest.raises(StoreError, match="cannot be written"):
        write(dataset, folder / "nowhere" / "out.csv")
    with pytest.raises(StoreError, match="cannot be written"):
        write(dataset, folder / "sub")
    assert sorted(folder.rglob("*")) == before
