"""Every layout, from small trees on disk, and what is refused."""

from pathlib import Path

import pytest

from sightline.datasets.dataset import GOOD, Dataset, Sample
from sightline.datasets.opening import open_dataset
from sightline.datasets.pictures import pictures_in
from sightline.errors import DatasetError


def touch(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def listed(dataset: Dataset) -> list[tuple[str, str, str]]:
    return [(s.path.relative_to(dataset.root).as_posix(), s.label, s.split) for s in dataset.samples]


def test_a_flat_folder_is_all_good_and_for_training(tmp_path: Path) -> None:
    dataset = open_dataset(
        touch(tmp_path, "b.PNG", "a.jpg", "notes.txt", "c.jpeg", "d.bmp", "e.tif", "f.TIFF", "g.webp")
    )
    names = ["a.jpg", "b.PNG", "c.jpeg", "d.bmp", "e.tif", "f.TIFF", "g.webp"]
    assert listed(dataset) == [(name, GOOD, "train") for name in names]
    assert (dataset.name, dataset.layout) == (tmp_path.name, "folder")


def test_a_nested_folder_without_classes_is_all_good(tmp_path: Path) -> None:
    dataset = open_dataset(touch(tmp_path, "tuesday/1.png", "monday/early/2.png", "0.png", "ground_truth/x/1.png"))
    assert [name for name, _, _ in listed(dataset)] == ["0.png", "monday/early/2.png", "tuesday/1.png"]
    assert {s.label for s in dataset.train_good} == {GOOD}


@pytest.mark.parametrize("word", ["good", "ok", "OK", "normal"])
def test_a_folder_with_a_good_subfolder_holds_classes(tmp_path: Path, word: str) -> None:
    dataset = open_dataset(
        touch(tmp_path, f"{word}/1.png", "scratch/2.png", "dent/3.png", "ground_truth/dent/3_mask.png")
    )
    assert dataset.labels == (GOOD, "dent", "scratch")
    assert dataset.counts == {"train": {GOOD: 1, "dent": 1, "scratch": 1}}
    assert [s.mask for s in dataset.samples if s.label == "dent"] == [tmp_path / "ground_truth/dent/3_mask.png"]


def test_a_picture_beside_class_folders_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"stray\.png: .* move it"):
        open_dataset(touch(tmp_path, "good/1.png", "stray.png"))


def test_hidden_files_and_folders_are_left_out(tmp_path: Path) -> None:
    dataset = open_dataset(touch(tmp_path, "1.png", "._1.png", ".cache/2.png"))
    assert [name for name, _, _ in listed(dataset)] == ["1.png"]


def test_links_in_a_circle_are_read_once(tmp_path: Path) -> None:
    touch(tmp_path, "a/1.png")
    (tmp_path / "a" / "again").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "dangling.png").symlink_to(tmp_path / "nowhere.png")
    assert pictures_in(tmp_path) == [tmp_path / "a" / "1.png"]


def test_mvtec_is_read_with_masks_under_either_name(tmp_path: Path) -> None:
    touch(tmp_path, "train/good/000.png", "test/good/000.png", "test/crack/000.png", "test/crack/001.png")
    touch(tmp_path, "test/dent/sub/7.jpg", "ground_truth/dent/sub/7.png", "test/dent/8.jpg", "license.txt")
    touch(tmp_path, "ground_truth/crack/000_mask.png", "ground_truth/crack/001.png")
    dataset = open_dataset(tmp_path)
    assert dataset.layout == "mvtec"
    assert listed(dataset) == [
        ("train/good/000.png", GOOD, "train"),
        ("test/crack/000.png", "crack", "test"),
        ("test/crack/001.png", "crack", "test"),
        ("test/dent/8.jpg", "dent", "test"),
        ("test/dent/sub/7.jpg", "dent", "test"),
        ("test/good/000.png", GOOD, "test"),
    ]
    masks = [s.mask and s.mask.relative_to(tmp_path / "ground_truth").as_posix() for s in dataset.samples]
    assert masks == [None, "crack/000_mask.png", "crack/001.png", None, "dent/sub/7.png", None]


def test_mvtec_ok_is_good_and_val_is_validation(tmp_path: Path) -> None:
    dataset = open_dataset(touch(tmp_path, "train/ok/1.png", "val/OK/2.png", "test/ok/3.png"))
    assert [(label, split) for _, label, split in listed(dataset)] == [
        (GOOD, "train"), (GOOD, "validation"), (GOOD, "test"),
    ]  # fmt: skip


def test_mvtec_defects_in_training_keep_their_label(tmp_path: Path) -> None:
    dataset = open_dataset(touch(tmp_path, "train/good/1.png", "train/crack/2.png"))
    assert dataset.counts == {"train": {GOOD: 1, "crack": 1}}
    assert len(dataset.train_good) == 1


def test_mvtec_masks_are_not_given_to_training_pictures_of_the_same_number(tmp_path: Path) -> None:
    names = ("train/crack/000.png", "test/crack/000.png", "ground_truth/crack/000_mask.png")
    dataset = open_dataset(touch(tmp_path, *names))
    assert [sample.mask for sample in dataset.train] == [None]
    assert [sample.mask for sample in dataset.test] == [tmp_path / "ground_truth/crack/000_mask.png"]


def test_mvtec_pictures_without_a_class_are_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"1\.png: has no class; .*train/good"):
        open_dataset(touch(tmp_path, "train/1.png"))


def test_several_mvtec_categories_are_not_read_as_good_pictures(tmp_path: Path) -> None:
    touch(tmp_path, "bottle/train/good/1.png", "cable/test/cut/2.png")
    with pytest.raises(DatasetError, match=r"\(bottle, cable\); point to one, such as .*bottle"):
        open_dataset(tmp_path)


VISA = ("candle/Data/Images/Normal/1.JPG", "candle/Data/Images/Normal/2.JPG", "candle/Data/Images/Anomaly/1.JPG",
        "candle/Data/Masks/Anomaly/1.png")  # fmt: skip
VISA_CSV = """object,split,label,image,mask
candle,train,normal,candle/Data/Images/Normal/2.JPG,
candle,test,normal,candle/Data/Images/Normal/1.JPG,
candle,test,anomaly,candle/Data/Images/Anomaly/1.JPG,candle/Data/Masks/Anomaly/1.png
pcb1,train,normal,pcb1/Data/Images/Normal/9.JPG,
"""


@pytest.mark.parametrize("given", [".", "candle"], ids=["root", "object"])
def test_visa_is_read_by_its_csv(tmp_path: Path, given: str) -> None:
    touch(tmp_path, *VISA, "split_csv/1cls.csv")
    (tmp_path / "split_csv/1cls.csv").write_text(VISA_CSV)
    dataset = open_dataset(tmp_path / given)
    assert (dataset.name, dataset.layout) == ("candle", "visa")
    assert listed(dataset) == [
        ("Data/Images/Anomaly/1.JPG", "anomaly", "test"),
        ("Data/Images/Normal/1.JPG", GOOD, "test"),
        ("Data/Images/Normal/2.JPG", GOOD, "train"),
    ]
    assert [s.mask for s in dataset.test] == [tmp_path / "candle/Data/Masks/Anomaly/1.png", None]


def test_visa_without_csv_tests_on_the_anomalies(tmp_path: Path) -> None:
    dataset = open_dataset(touch(tmp_path, *VISA) / "candle")
    assert dataset.counts == {"train": {GOOD: 2}, "test": {"anomaly": 1}}
    assert dataset.test[0].mask == tmp_path / "candle/Data/Masks/Anomaly/1.png"


def test_visa_with_several_objects_asks_for_one(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"2 objects \(candle, pcb1\); point to one, such as .*candle"):
        open_dataset(touch(tmp_path, *VISA, "pcb1/Data/Images/Normal/9.JPG"))


@pytest.mark.parametrize(
    ("row", "told"),
    [
        pytest.param(
            "candle,train,normal,candle/none.JPG,", r'line 2: there is no file "candle/none.JPG"', id="missing"
        ),
        pytest.param("candle,dev,normal,candle/Data/Images/Normal/1.JPG,", r'line 2: split "dev"', id="split"),
        pytest.param("pcb1,train,normal,pcb1/1.JPG,", r'no rows for the object "candle"', id="object"),
    ],
)
def test_visa_csv_that_does_not_fit_is_told_by_line(tmp_path: Path, row: str, told: str) -> None:
    touch(tmp_path, *VISA, "split_csv/1cls.csv")
    (tmp_path / "split_csv/1cls.csv").write_text(f"object,split,label,image,mask\n{row}\n")
    with pytest.raises(DatasetError, match=told):
        open_dataset(tmp_path / "candle")


def test_a_missing_path_is_told(tmp_path: Path) -> None:
    for name in ("nowhere", "x" * 5000, "a\0b"):
        with pytest.raises(DatasetError, match=r"cannot be opened \(.*\); check the path"):
            open_dataset(tmp_path / name)


def test_a_single_picture_is_told_with_its_folder(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"1\.png: is one picture; give a folder"):
        open_dataset(touch(tmp_path, "1.png") / "1.png")


def test_another_kind_of_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"a\.zip: is not a data set"):
        open_dataset(touch(tmp_path, "a.zip") / "a.zip")


@pytest.mark.parametrize(
    "names", [(), ("notes.txt",), ("train/good/notes.txt",)], ids=["empty", "no pictures", "mvtec"]
)
def test_a_folder_without_pictures_is_told(tmp_path: Path, names: tuple[str, ...]) -> None:
    with pytest.raises(DatasetError, match="no pictures; put PNG"):
        open_dataset(touch(tmp_path, *names))


def test_a_sample_needs_a_label_and_a_known_split() -> None:
    with pytest.raises(DatasetError, match="label is empty"):
        Sample(path=Path("1.png"), label="")
    with pytest.raises(DatasetError, match='split "dev" is not known'):
        Sample(path=Path("1.png"), label=GOOD, split="dev")
