"""A synthetic picture is known as one, and is never tested with."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from sightline.datasets.dataset import Dataset, Sample
from sightline.datasets.opening import open_dataset
from sightline.datasets.splits import split
from sightline.datasets.synthetic import (
    bound_to_training,
    file_digest,
    is_synthetic,
    marked,
    refuse_synthetic,
    sources_of,
)
from sightline.errors import DatasetError
from sightline.imaging.decode import read_frame


def png(seed: int, deep: bool = False) -> bytes:
    values = np.random.default_rng(seed).integers(0, 255, (20, 24), np.uint8)
    made, content = cv2.imencode(".png", values.astype(np.uint16) * 257 if deep else values)
    assert made
    return content.tobytes()


def save(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("deep", [False, True])
def test_a_mark_changes_no_pixel_and_tells_the_sources(tmp_path: Path, deep: bool) -> None:
    plain = save(tmp_path / "plain.png", png(0, deep))
    sources = (file_digest(plain), "ab" * 32)
    path = save(tmp_path / "any_name.png", marked(png(0, deep), sources))
    assert np.array_equal(read_frame(path).pixels, read_frame(plain).pixels)
    assert is_synthetic(path)
    assert sources_of(path) == sources
    assert not is_synthetic(plain)
    assert sources_of(plain) == ()


def test_a_name_is_enough_whatever_the_file(tmp_path: Path) -> None:
    assert is_synthetic(save(tmp_path / "synthetic_crack_001.jpg", b"encoded again"))
    assert is_synthetic(tmp_path / "Synthetic_gone.png")


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n", png(0)[:40], b"x" * 5000], ids=len)
def test_other_files_say_nothing(tmp_path: Path, content: bytes) -> None:
    path = save(tmp_path / "part.png", content)
    assert not is_synthetic(path)
    assert sources_of(path) == ()
    assert not is_synthetic(tmp_path)
    assert not is_synthetic(tmp_path / "nul\0.png")


@pytest.mark.parametrize("sources", [b"{", b'{"sources": 3}', b"[]", b"{}"])
def test_a_mark_that_was_altered_is_a_mark_without_sources(tmp_path: Path, sources: bytes) -> None:
    whole = marked(png(0), ())
    path = save(tmp_path / "part.png", whole.replace(b'{"sources": []}', sources.ljust(15)))
    assert is_synthetic(path)
    assert sources_of(path) == ()


@pytest.mark.parametrize("folder", ["test", "validation"])
def test_a_data_set_with_a_synthetic_picture_outside_training_does_not_open(tmp_path: Path, folder: str) -> None:
    save(tmp_path / "set/train/good/0.png", png(0))
    save(tmp_path / "set/train/crack/synthetic_0.png", png(1))
    assert len(open_dataset(tmp_path / "set").samples) == 2
    save(tmp_path / f"set/{folder}/crack/synthetic_1.png", png(1))
    with pytest.raises(DatasetError, match=rf"synthetic_1\.png: is synthetic, but is in {folder}"):
        open_dataset(tmp_path / "set")


def test_a_renamed_one_is_refused_by_its_content(tmp_path: Path) -> None:
    sample = Sample(path=save(tmp_path / "a.png", marked(png(0), ())), label="crack", split="test")
    refuse_synthetic([sample], opened=False)
    with pytest.raises(DatasetError, match=r"a\.png: is synthetic"):
        refuse_synthetic([sample])


def test_dividing_keeps_synthetic_pictures_and_their_sources_in_training(tmp_path: Path) -> None:
    real = [save(tmp_path / f"{number}.png", png(number)) for number in range(20)]
    sources = [file_digest(real[number]) for number in (3, 4)]
    made = [save(tmp_path / f"made{number}.png", marked(png(50 + number), sources)) for number in range(6)]
    samples = [Sample(path=path, label="good") for path in real] + [Sample(path=path, label="crack") for path in made]
    dataset = Dataset(name="parts", root=tmp_path, samples=tuple(samples))
    assert bound_to_training(dataset) == {real[3], real[4], *made}
    for seed in range(5):
        found = split(dataset, {"train": 0.5, "test": 0.5}, seed)
        assert {s.path for s in found.train} >= {real[3], real[4], *made}
        assert [s.path for s in found.samples] == [s.path for s in samples]
        assert len(found.test) == 9
    assert bound_to_training(replace(dataset, samples=tuple(samples[:20]))) == frozenset()
