"""Stored pictures reach the plant server after their records, whatever the network, the server and the disk do."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.line.deadline import until
from tests.line.parts import outcome
from tests.line.plant import Plant, PlantServer

from sightline.line.http_sink import HttpPictures, HttpSink, PlantClient
from sightline.line.outbox import Outbox, Pace
from sightline.line.picture_outbox import PictureOutbox, PicturePace, Skipped
from sightline.line.pictures import PictureFolder, Worth
from sightline.line.spool import Spool

PACE = PicturePace(poll_s=0.01, first_wait_s=0.01, longest_wait_s=0.05, try_again_s=0.01, patience_s=3600.0)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[PictureFolder]:
    with closing(PictureFolder(tmp_path / "pictures", delivered=True)) as folder:
        yield folder


@pytest.fixture
def record(tmp_path: Path) -> Callable[..., str]:
    """Records one part; its id."""

    def record() -> str:
        with closing(Spool(tmp_path / "records.db", station="press 3")) as spool:
            one = outcome(known_as=spool.ids.new())
            spool.record([one])
        return one.id

    return record


def stored(folder: PictureFolder, record: str, content: bytes = b"a picture", view: str = "top") -> Path:
    return folder.add(record, view, Worth.PLAIN, time.time(), content.hex(), content)


def picture_outbox(
    folder: PictureFolder, url: str, has_record: Callable[[str], bool] = lambda _: True, pace: PicturePace = PACE
) -> PictureOutbox:
    return PictureOutbox(folder, HttpPictures(PlantClient(url, timeout_s=30)), has_record, pace)


def test_a_picture_follows_its_record_whole_and_once(
    tmp_path: Path, plant: Plant, server: PlantServer, folder: PictureFolder, record: Callable[..., str]
) -> None:
    known = record()
    stored(folder, known, b"one")
    stored(folder, known, b"two", "side")
    plant.status = 503  # for records
    sink = HttpSink(PlantClient(server.url))
    pace = Pace(poll_s=0.01, first_wait_s=0.01, longest_wait_s=0.05)
    with (
        closing(Outbox(tmp_path / "records.db", tmp_path / "outbox.db", sink, pace)) as outbox,
        closing(picture_outbox(folder, server.url, outbox.has_delivered)) as pictures,
    ):
        until(lambda: outbox.status.failures > 2)
        assert (plant.puts, pictures.status.waiting) == (0, 2)
        plant.status = 200
        until(lambda: pictures.status.waiting == 0)
        assert (pictures.status.sent, pictures.status.error) == (2, "")
    assert plant.pictures == {(known, "top"): b"one", (known, "side"): b"two"}
    assert (plant.puts, plant.batches) == (0, [2])
    assert abs(plant.clocks[-1] - time.time()) < 3600


def test_an_outage_and_a_restart_delay_and_lose_nothing(plant: Plant, folder: PictureFolder) -> None:
    first = PlantServer(plant)
    plant.ids = ["a", "b"]
    first.close()
    stored(folder, "a")
    with closing(picture_outbox(folder, first.url)) as pictures:
        until(lambda: "cannot be reached" in pictures.status.error)
    stored(folder, "b")
    with closing(PlantServer(plant, first.port)), closing(picture_outbox(folder, first.url)) as pictures:
        until(lambda: pictures.status.waiting == 0)
    assert plant.pictures.keys() == {("a", "top"), ("b", "top")}


@pytest.mark.parametrize("status", [404, 413, 422])
def test_a_picture_that_is_refused_is_tried_a_bounded_number_of_times(
    plant: Plant, server: PlantServer, folder: PictureFolder, status: int
) -> None:
    plant.picture_status, plant.ids = status, ["a", "b"]
    stored(folder, "a")
    with closing(picture_outbox(folder, server.url)) as pictures:
        until(lambda: pictures.status.skipped[Skipped.REFUSED] == 1)
        assert plant.puts == PACE.tries
        plant.picture_status = 200
        stored(folder, "b")
        until(lambda: pictures.status.sent == 1)
    assert plant.pictures.keys() == {("b", "top")}


def test_a_server_that_refuses_everything_is_waited_for(
    plant: Plant, server: PlantServer, folder: PictureFolder
) -> None:
    plant.ids = [str(number) for number in range(6)]
    plant.picture_status = 422
    for number in range(6):
        stored(folder, str(number))
    pace = PicturePace(poll_s=0.01, first_wait_s=0.01, longest_wait_s=0.02, try_again_s=0.01, tries=1, most_refused=2)
    with closing(picture_outbox(folder, server.url, pace=pace)) as pictures:
        until(lambda: "Check the plant server" in pictures.status.error)
        assert pictures.status.waiting == 4
        plant.picture_status = 200
        until(lambda: pictures.status.waiting == 0)
    assert len(plant.pictures) == 4


def test_what_waits_goes_together_within_bounds(plant: Plant, server: PlantServer, folder: PictureFolder) -> None:
    plant.ids = [str(number) for number in range(70)]
    for id_ in plant.ids:
        stored(folder, id_, id_.encode())
    with closing(picture_outbox(folder, server.url)) as pictures:
        until(lambda: pictures.status.waiting == 0)
        assert pictures.status.sent == 70
    assert plant.batches == [32, 32, 6]
    assert plant.pictures == {(id_, "top"): id_.encode() for id_ in plant.ids}


def test_pictures_that_are_large_together_go_apart(plant: Plant, server: PlantServer, folder: PictureFolder) -> None:
    plant.ids = ["a", "b", "c", "d"]
    for id_, size in zip(plant.ids, (6, 4, 5, 20), strict=True):
        stored(folder, id_, bytes(size) + id_.encode())
    pace = PicturePace(poll_s=0.01, most_bytes=12)
    with closing(picture_outbox(folder, server.url, pace=pace)) as pictures:
        until(lambda: pictures.status.waiting == 0)
    assert (plant.batches, plant.puts, len(plant.pictures)) == ([2], 2, 4)


def test_only_what_is_confirmed_leaves_and_what_is_refused_holds_up_nobody(
    plant: Plant, server: PlantServer, folder: PictureFolder
) -> None:
    plant.ids, plant.bad_views = ["a", "b", "c"], {"bad"}
    for id_, view in (("a", "top"), ("b", "bad"), ("c", "top")):
        stored(folder, id_, id_.encode(), view)
    pace = PicturePace(poll_s=0.01, try_again_s=3600.0)
    with closing(picture_outbox(folder, server.url, pace=pace)) as pictures:
        until(lambda: "422 bad" in pictures.status.error)
        assert (pictures.status.sent, pictures.status.waiting) == (2, 1)
        plant.ids.append("d")
        stored(folder, "d", b"d")
        until(lambda: pictures.status.sent == 3)
        assert [row.view for row in folder.outgoing(0, 9)] == ["bad"]
    plant.bad_views.clear()
    with closing(picture_outbox(folder, server.url)) as pictures:  # a restart
        until(lambda: pictures.status.waiting == 0)
    assert len(plant.pictures) == 4


def test_a_server_that_takes_one_picture_in_a_request_gets_them_so(
    plant: Plant, server: PlantServer, folder: PictureFolder
) -> None:
    plant.ids, plant.batch_status = [str(number) for number in range(5)], 404
    for id_ in plant.ids:
        stored(folder, id_, id_.encode())
    with closing(picture_outbox(folder, server.url)) as pictures:
        until(lambda: pictures.status.waiting == 0)
        assert (pictures.status.sent, pictures.status.error) == (5, "")
    assert (plant.puts, plant.batches, len(plant.pictures)) == (5, [], 5)


def test_after_a_lost_answer_fewer_are_sent_again(plant: Plant, server: PlantServer, folder: PictureFolder) -> None:
    plant.ids, plant.unheard = [str(number) for number in range(8)], 1
    for id_ in plant.ids:
        stored(folder, id_, id_.encode())
    with closing(picture_outbox(folder, server.url)) as pictures:
        until(lambda: pictures.status.waiting == 0)
        assert pictures.status.sent == 8
    assert (plant.batches, len(plant.pictures)) == ([8, 4, 4], 8)


@pytest.mark.parametrize("status", [403, 503])
def test_what_may_be_otherwise_another_time_is_waited_for(
    plant: Plant, server: PlantServer, folder: PictureFolder, status: int
) -> None:
    plant.ids, plant.picture_status = ["a", "b"], status
    for id_ in plant.ids:
        stored(folder, id_, id_.encode())
    with closing(picture_outbox(folder, server.url)) as pictures:
        until(lambda: len(plant.batches) + plant.puts > 3)
        assert (pictures.status.waiting, pictures.status.skipped[Skipped.REFUSED]) == (2, 0)
        plant.picture_status = 200
        until(lambda: pictures.status.waiting == 0)


def test_a_picture_that_gave_way_is_counted_and_does_not_hold_up_others(
    plant: Plant, server: PlantServer, folder: PictureFolder
) -> None:
    plant.ids = ["a", "b", "c"]
    stored(folder, "a", b"by policy")
    assert folder.remove_oldest(Worth.PLAIN, math.inf) == 1
    stored(folder, "b", b"by hand").unlink()
    stored(folder, "c", b"there")
    with closing(picture_outbox(folder, server.url)) as pictures:
        until(lambda: pictures.status.waiting == 0)
        assert pictures.status.skipped[Skipped.REMOVED] == 2
    assert plant.pictures == {("c", "top"): b"there"}


def test_a_picture_whose_record_never_comes_is_given_up(
    plant: Plant, server: PlantServer, folder: PictureFolder
) -> None:
    plant.ids = ["b"]
    stored(folder, "a")
    stored(folder, "b")
    pace = PicturePace(poll_s=0.01, patience_s=0.1)
    with closing(picture_outbox(folder, server.url, lambda id_: id_ == "b", pace)) as pictures:
        until(lambda: pictures.status.waiting == 0)
        assert pictures.status.skipped[Skipped.NO_RECORD] == 1
    assert plant.pictures.keys() == {("b", "top")}


def test_pictures_stay_at_a_station_that_does_not_deliver_them(tmp_path: Path) -> None:
    with closing(PictureFolder(tmp_path / "pictures")) as folder:
        stored(folder, "a")
        assert folder.waiting() == 0


def test_the_address_is_that_of_the_records_up_to_its_interface() -> None:
    for url in ("http://plant:8000/api/v1/records", "http://plant:8000/records", "http://plant:8000"):
        assert PlantClient(url).base == "http://plant:8000"
    assert PlantClient("https://plant/sightline/api/v1/records").base == "https://plant/sightline"


def test_a_bug_delays_a_picture_and_loses_none(
    plant: Plant, server: PlantServer, folder: PictureFolder, record: Callable[..., str]
) -> None:
    known, failing = record(), iter([True])
    plant.ids.append(known)

    def has_record(_: str) -> bool:
        if next(failing, False):
            raise RuntimeError("a bug")
        return True

    stored(folder, known)
    with closing(picture_outbox(folder, server.url, has_record)) as box:
        until(lambda: box.status.sent == 1)
    assert plant.pictures == {(known, "top"): b"a picture"}
