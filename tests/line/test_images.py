"""Pictures are written by policy, never in the line's way; what is dear stays when the disk fills up."""

import errno
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.line.deadline import until

from sightline.errors import StoreError
from sightline.imaging.decode import read_frame
from sightline.imaging.writing import png
from sightline.line import images
from sightline.line.images import Dropped, ImagePolicy, ImageWriter, Picture, Policy
from sightline.line.pictures import INDEX, PictureFolder, Worth
from sightline.records import Frame, Pixels

DAY_S = 86_400.0
NOW = 1.8e9


def picture(number: int, worth: Worth = Worth.PLAIN, *, days: float = 0.0) -> Picture:
    pixels = np.random.default_rng(number).integers(0, 255, (20, 30, 3), np.uint8)
    return Picture(
        outcome=f"part {number}", view="top", worth=worth, unix_s=NOW - days * DAY_S, frame=Frame(pixels=pixels)
    )


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[PictureFolder]:
    folder = PictureFolder(tmp_path / "pictures")
    yield folder
    folder.close()


def files(folder: PictureFolder) -> list[Path]:
    return sorted(folder.folder.glob("*/*"))


def written(folder: PictureFolder, *pictures: Picture, free: Callable[[], float] = lambda: 0.5) -> ImageWriter:
    """A writer that keeps all, closed after it wrote these."""
    writer = ImageWriter(folder, ImagePolicy(policy=Policy.ALL), free_share=lambda _: free(), clock=lambda: NOW)
    for one in pictures:
        writer.put(one)
    writer.close()
    return writer


def test_a_picture_comes_back_as_it_was(folder: PictureFolder) -> None:
    one = picture(1)
    assert written(folder, one).written == 1
    (stored,) = folder.of("part 1")
    assert (stored.view, stored.worth) == ("top", Worth.PLAIN)
    assert np.array_equal(read_frame(stored.path).pixels, one.frame.pixels)


def filled(folder: PictureFolder, count: int) -> None:
    for number in range(count):
        folder.add(f"part {number}", "top", Worth.PLAIN, NOW - DAY_S, f"{number:04}", bytes(100))


@pytest.mark.parametrize(
    ("policy", "kept"),
    [
        (Policy.ALL, ["plain 0.005", "plain 0.5", "flagged 0.5"]),
        (Policy.SAMPLE, ["plain 0.005", "flagged 0.5"]),
        (Policy.REJECTS, ["flagged 0.5"]),
        (Policy.NONE, []),
    ],
)
def test_the_policy_decides_what_is_kept(policy: Policy, kept: list[str]) -> None:
    lots = [(Worth.PLAIN, 0.005), (Worth.PLAIN, 0.5), (Worth.FLAGGED, 0.5)]
    assert [f"{worth} {lot}" for worth, lot in lots if ImagePolicy(policy=policy).keeps(worth, lot)] == kept


def test_the_same_picture_is_stored_once_and_goes_with_the_last_part_that_has_it(folder: PictureFolder) -> None:
    frame = picture(1).frame
    twice = [
        Picture(outcome=name, view="top", worth=Worth.PLAIN, unix_s=NOW - age, frame=frame)
        for name, age in (("a", 20.0), ("b", 10.0))
    ]
    written(folder, *twice)
    assert len(files(folder)) == 1
    assert folder.remove_oldest(Worth.PLAIN, NOW - 15) == 1
    assert (folder.of("a"), len(folder.of("b"))) == ([], 1)
    assert folder.remove_oldest(Worth.PLAIN, NOW) == 1
    assert files(folder) == []


def test_old_pictures_go_and_flagged_ones_stay_longest(folder: PictureFolder) -> None:
    ages = [(1, Worth.PLAIN, 8.0), (2, Worth.PLAIN, 6.0), (3, Worth.FLAGGED, 300.0), (4, Worth.FLAGGED, 400.0)]
    written(folder, *(picture(number, worth, days=days) for number, worth, days in ages))
    assert written(folder, picture(5)).removed == 2
    left = [number for number in range(1, 6) if folder.of(f"part {number}")]
    assert left == [2, 3, 5]
    assert len(files(folder)) == 3


def test_a_filling_disk_drops_plain_pictures_first_and_then_the_others(folder: PictureFolder) -> None:
    written(folder, picture(1, days=1), picture(2, Worth.FLAGGED, days=1))
    writer = written(folder, picture(3), picture(4, Worth.FLAGGED), free=lambda: 0.08)
    assert writer.alarm
    assert writer.dropped == {Dropped.SPACE: 1}
    assert [n for n in range(1, 5) if folder.of(f"part {n}")] == [2, 4]
    writer = written(folder, picture(5, Worth.FLAGGED), free=lambda: 0.04)
    assert writer.dropped == {Dropped.SPACE: 1}
    assert [n for n in range(1, 6) if folder.of(f"part {n}")] == [2, 4]


def test_plain_pictures_make_room_until_there_is_enough_and_the_alarm_goes_down(folder: PictureFolder) -> None:
    filled(folder, 250)
    threshold = 60
    writer = ImageWriter(
        folder,
        ImagePolicy(policy=Policy.ALL),
        free_share=lambda _: 0.05 if len(files(folder)) > threshold else 0.2,
        clock=lambda: NOW,
    )
    until(lambda: len(files(folder)) <= threshold and not writer.alarm)
    writer.close()
    assert writer.removed == 200


def test_a_quota_is_kept(folder: PictureFolder) -> None:
    filled(folder, 150)
    policy = ImagePolicy(policy=Policy.ALL, most_gb=60 * 100 / 1e9)
    writer = ImageWriter(folder, policy, free_share=lambda _: 0.5, clock=lambda: NOW)
    until(lambda: folder.size_bytes() <= policy.most_gb * 1e9)
    writer.close()
    assert len(files(folder)) == 50


def test_a_slow_disk_never_keeps_the_line_waiting(folder: PictureFolder) -> None:
    going = threading.Event()

    def stuck(_: Path) -> float:
        going.wait(60)
        return 0.5

    writer = ImageWriter(folder, ImagePolicy(policy=Policy.ALL), most_waiting=3, free_share=stuck, clock=lambda: NOW)
    taken = [writer.put(picture(number)) for number in range(10)]
    assert taken.count(True) in (3, 4)  # one may be in the thread's hands
    assert writer.dropped == {Dropped.QUEUE: taken.count(False)}
    going.set()
    writer.close()
    assert writer.written == taken.count(True)
    assert not writer.put(picture(11))


def test_a_folder_that_is_gone_is_an_alarm_and_counted(folder: PictureFolder) -> None:
    writer = ImageWriter(folder, ImagePolicy(policy=Policy.ALL), clock=lambda: NOW)
    folder.close()
    writer.put(picture(1))
    until(lambda: writer.dropped == {Dropped.ERROR: 1})
    assert writer.alarm
    writer.close()


def test_a_disk_that_fails_while_it_is_looked_at_is_an_alarm_and_the_next_picture_is_written(
    folder: PictureFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(_: Path) -> bool:
        raise OSError(errno.EIO, "Input/output error")

    writer = ImageWriter(folder, ImagePolicy(policy=Policy.ALL), free_share=lambda _: 0.5, clock=lambda: NOW)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "exists", failing)
        writer.put(picture(1))
        until(lambda: writer.dropped == {Dropped.ERROR: 1})
        with pytest.raises(StoreError, match="Input/output error"):
            folder.of("part 1")
    assert writer.alarm
    writer.put(picture(2))
    writer.close()
    assert writer.written == 1


def test_a_picture_that_cannot_be_written_for_whatever_reason_costs_no_other(
    folder: PictureFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing = iter([True])

    def png_of(pixels: Pixels) -> bytes:
        if next(failing, False):
            raise MemoryError
        return png(pixels)

    monkeypatch.setattr(images, "png", png_of)
    writer = written(folder, picture(1), picture(2))
    assert (writer.dropped, writer.written) == ({Dropped.ERROR: 1}, 1)


def test_a_clock_that_is_set_forward_makes_no_picture_old(folder: PictureFolder) -> None:
    written(folder, picture(1), picture(2, Worth.FLAGGED))
    readings = iter([NOW])
    writer = ImageWriter(folder, ImagePolicy(), free_share=lambda _: 0.5, clock=lambda: next(readings, NOW + 1e9))
    writer.close()
    assert writer.removed == 0
    assert len(files(folder)) == 2


def test_an_unfinished_file_never_shows(folder: PictureFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    one = picture(1)
    (folder.folder / "ab").write_bytes(b"")  # in the way of its folder
    with pytest.raises(StoreError):
        folder.add("part 1", "top", Worth.PLAIN, NOW, "ab01", one.frame.pixels.tobytes())
    assert folder.of("part 1") == []
    (folder.folder / "ab").unlink()
    folder.add("part 1", "top", Worth.PLAIN, NOW, "ab01", b"content")
    assert [stored.path.read_bytes() for stored in folder.of("part 1")] == [b"content"]


def test_another_file_in_place_of_the_index_is_refused(tmp_path: Path) -> None:
    (tmp_path / INDEX).write_bytes(b"no database" * 100)
    with pytest.raises(StoreError, match=INDEX):
        PictureFolder(tmp_path)


def test_the_thread_ends_with_the_writer(folder: PictureFolder) -> None:
    before = threading.active_count()
    writer = ImageWriter(folder, ImagePolicy(), clock=time.time)
    assert threading.active_count() == before + 1
    writer.close()
    writer.close()
    assert threading.active_count() == before
