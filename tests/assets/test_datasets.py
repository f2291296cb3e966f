"""Versions of data sets never change, come from any format, and go to any."""

import stat
import tempfile
import zipfile
from pathlib import Path

import pytest
from tests.assets.conftest import NOW_S, inspected, png

from sightline.datasets.annotations import Rectangle
from sightline.datasets.conversion import Conversion
from sightline.datasets.labelled import open_labelled
from sightline.errors import DatasetError, NotFoundError, OptionError
from sightline.feedback.reviewed import Choice, reviewed_items
from sightline.feedback.reviews import Decision, decide
from sightline.records import Verdict
from sightline.store import datasets, labels
from sightline.store.archives import Bounds, unpack
from sightline.store.database import Database
from sightline.store.dataset_files import export, from_archive
from sightline.store.datasets import Item, Making, add_version
from sightline.store.pictures import Pictures, ViewOf
from sightline.store.retention import Kept, Retention, Tier
from sightline.store.shelf import Shelf, digest_of

MAKING = Making(dataset="cap", author="ada", product="cap")


def zipped(path: Path, files: dict[str, bytes], links: tuple[str, ...] = ()) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name)
            entry.compress_type = zipfile.ZIP_DEFLATED
            if name in links:
                entry.external_attr = (stat.S_IFLNK | 0o777) << 16
            archive.writestr(entry, content)
    return path


def stored(pictures: Pictures, count: int) -> list[Item]:
    digests = [pictures.keep(png(seed), kept=Kept.PASS, now_s=NOW_S) for seed in range(count)]
    return [Item(picture=digest, name=f"{seed}.png", label="good") for seed, digest in enumerate(digests)]


def test_a_version_holds_what_it_was_made_of_and_equal_items_make_no_other(pictures: Pictures) -> None:
    items = stored(pictures, 3)
    first = add_version(pictures, MAKING, items, now_s=NOW_S)
    assert add_version(pictures, MAKING, reversed(items), now_s=NOW_S) == first
    changed = [*items[:2], Item(picture=items[2].picture, name="2.png", label="scratch", split="test")]
    second = add_version(pictures, MAKING, changed[1:], now_s=NOW_S)
    assert (first.version, second.version, first.items, second.items) == (1, 2, 3, 2)
    with pictures.database.reading() as session:
        assert datasets.every_item(session, "cap", 1) == items
        assert datasets.items(session, "cap", 1, datasets.Wanted(after=0, limit=1)) == [(1, items[1])]
        assert datasets.tally(session, "cap", 2) == [("", "good", 1), ("test", "scratch", 1)]
        found = datasets.compare(session, "cap", 1, 2)
        with pytest.raises(NotFoundError, match="there is no 3"):
            datasets.one(session, "cap", 3)
    assert found.counts == {"removed": 1, "label": 1, "split": 1}
    assert {(change.kind, change.before, change.after) for change in found.changes} == {
        ("removed", "", ""),
        ("label", "good", "scratch"),
        ("split", "", "test"),
    }
    assert pictures.known(items[0].picture).kept_as is Kept.DATASET
    assert pictures.known(items[0].picture).keep_until_s is None
    assert [one.version for one in datasets.listed(pictures.database)] == [2]
    assert [one.version for one in datasets.versions(pictures.database, "cap")] == [2, 1]


def test_a_version_of_pictures_that_are_not_here_is_refused(pictures: Pictures) -> None:
    with pytest.raises(DatasetError, match="1 pictures are not stored here"):
        add_version(pictures, MAKING, [*stored(pictures, 1), Item(picture="0" * 64, name="x.png")], now_s=NOW_S)
    with pytest.raises(DatasetError, match="has 0 pictures"):
        add_version(pictures, MAKING, [], now_s=NOW_S)
    for name in ("../x.png", "/x.png", "a//b", ""):
        with pytest.raises(OptionError, match="relative path"):
            Item(picture="0" * 64, name=name)


VOC = b"""<annotation><filename>a.png</filename><size><width>32</width><height>24</height><depth>3</depth></size>
<object><name>scratch</name><bndbox><xmin>5</xmin><ymin>6</ymin><xmax>10</xmax><ymax>12</ymax></bndbox></object>
</annotation>"""


def test_an_archive_comes_in_and_goes_out_in_another_format(
    pictures: Pictures, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))  # it may be too small for an archive
    files = {"part/JPEGImages/a.png": png(1), "part/Annotations/a.xml": VOC, "__MACOSX/x": b"1"}
    items = from_archive(pictures, zipped(tmp_path / "a.zip", files), tmp_path, now_s=NOW_S)
    assert [(item.label, item.picture) for item in items] == [("scratch", digest_of(png(1)))]
    known = add_version(pictures, MAKING, items, now_s=NOW_S)
    with pictures.database.reading() as session:
        kept = datasets.every_item(session, "cap", known.version)
    done = export(pictures, "cap-1", kept, tmp_path, Conversion(format="coco"))
    with zipfile.ZipFile(done.path) as archive:
        archive.extractall(tmp_path / "out")
    (picture,) = open_labelled(tmp_path / "out").pictures
    assert picture.annotations[0].geometry == Rectangle(left=4.0, top=5.0, right=10.0, bottom=12.0)
    assert picture.path.read_bytes() == png(1)
    with pytest.raises(DatasetError, match="cap-1: classes cannot carry"):
        export(pictures, "cap-1", kept, tmp_path, Conversion(format="classes"))


BOMB = bytes(30 << 20)


@pytest.mark.parametrize(
    ("files", "links", "told"),
    [
        pytest.param({"../x.png": b"1"}, (), "leads out", id="slip"),
        pytest.param({"/x.png": b"1"}, (), "leads out", id="absolute"),
        pytest.param({"a\\..\\..\\x.png": b"1"}, (), "leads out", id="backslashes"),
        pytest.param({"a.png": b"/etc/passwd"}, ("a.png",), "a link", id="link"),
        pytest.param({"a.png": BOMB}, (), "far more than it takes", id="bomb"),
        pytest.param({f"{n}.png": b"1" for n in range(30)}, (), "holds 30 files", id="many"),
        pytest.param({"a.txt": b"no picture"}, (), "no pictures", id="nothing in it"),
        pytest.param({"a.png": b"no picture"}, (), "a.png: picture", id="no picture"),
    ],
)
def test_an_archive_that_would_do_harm_is_refused_in_one_line(
    files: dict[str, bytes], links: tuple[str, ...], told: str, tmp_path: Path
) -> None:
    database = Database(f"sqlite:///{tmp_path / 'none.db'}")
    pictures = Pictures(database, {Tier.HOT: Shelf(f"memory://none-{tmp_path.name}")}, Retention())
    archive = zipped(tmp_path / "a.zip", files, links)
    with pytest.raises(DatasetError, match=told) as error:
        from_archive(pictures, archive, tmp_path, now_s=NOW_S, bounds=Bounds(files=20))
    assert "\n" not in str(error.value)
    assert "sightline-" not in str(error.value), "where it was unpacked is nobody's business"


def test_a_list_that_names_a_file_outside_is_refused(pictures: Pictures, tmp_path: Path) -> None:
    (tmp_path / "secret.png").write_bytes(png(9))
    outside = f"path,label\n{tmp_path / 'secret.png'},good\n".encode()
    archive = zipped(tmp_path / "a.zip", {"part/list.csv": outside, "part/a.png": png(1)})
    with pytest.raises(DatasetError):
        from_archive(pictures, archive, tmp_path, now_s=NOW_S)
    with pytest.raises(NotFoundError):
        pictures.known(digest_of(png(9)))


def test_what_is_no_zip_or_lies_about_its_sizes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    for content in (b"", b"no zip", zipped(path, {"a": b"1"}).read_bytes()[:-30]):
        path.write_bytes(content)
        with pytest.raises(DatasetError, match=r"a\.zip"):
            unpack(path, tmp_path)
    whole = bytearray(zipped(path, {"a": b"1" * 100}).read_bytes())
    at = whole.rfind(b"PK\x01\x02")
    whole[at + 24 : at + 28] = (10).to_bytes(4, "little")  # it says 10 bytes
    path.write_bytes(whole)
    folder = tmp_path / "out"
    folder.mkdir()
    with pytest.raises(DatasetError):
        unpack(path, folder)
    assert sum(found.stat().st_size for found in folder.rglob("*")) <= 100
    path.write_bytes(zipped(path, {"a": b"1", "b": b"2"}).read_bytes().replace(b"b", b"a"))
    with pytest.raises(DatasetError, match="is there twice"):
        unpack(path, folder)


def test_reviewed_inspections_become_a_data_set(pictures: Pictures, database: Database) -> None:
    named = {1: "PASS", 2: "REJECT", 3: "REVIEW"}
    for number, verdict in named.items():
        name = inspected(database, number, verdict=verdict)
        view = ViewOf(inspection_id=name, view="top")
        pictures.link(png(number), view, digest=digest_of(png(number)), media_type="", now_s=NOW_S)
        if number < 3:
            label = "scratch" if verdict == "REJECT" else ""
            said = Decision(inspection_id=name, verdict=Verdict(verdict), label=label)
            decide(pictures, said, reviewer="ada", now_s=NOW_S)
    box = {"box": [1.0, 2.0, 9.0, 8.0]}
    labels.add(pictures, digest_of(png(2)), label="scratch", geometry=box, author="ada", now_s=NOW_S)
    with database.reading() as session:
        items = reviewed_items(session, Choice(product="cap"))
        assert reviewed_items(session, Choice(product="cap", needed=2)) == ()
    assert [(item.picture, item.label) for item in items] == [
        (digest_of(png(1)), "good"),
        (digest_of(png(2)), "scratch"),
    ]
    assert items[1].annotations["annotations"][0]["geometry"] == box
    assert add_version(pictures, MAKING, items, now_s=NOW_S).items == 2
