"""Whatever the network and the plant server do, each record arrives once and in order."""

import sqlite3
import threading
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest
from tests.line.deadline import until
from tests.line.parts import outcome
from tests.line.plant import Plant, PlantServer

from sightline.errors import DeliveryError, DeliveryRefused, OptionError
from sightline.line.history import verify_lines
from sightline.line.http_sink import HttpSink, PlantClient
from sightline.line.outbox import Outbox, Pace
from sightline.line.spool import Spool

PACE = Pace(most_lines=50, poll_s=0.01, first_wait_s=0.01, longest_wait_s=0.05, try_again_s=0.01)


def recorded(folder: Path, count: int) -> list[str]:
    """The ids of further parts in the folder's records."""
    spool = Spool(folder / "records.db", station="press 3")
    outcomes = [outcome(number, known_as=spool.ids.new()) for number in range(1, count + 1)]
    spool.record(outcomes)
    spool.close()
    return [one.id for one in outcomes]


def outbox(folder: Path, url: str, pace: Pace = PACE) -> Outbox:
    return Outbox(folder / "records.db", folder / "outbox.db", HttpSink(PlantClient(url, timeout_s=30)), pace)


def delivered(folder: Path, url: str) -> None:
    box = outbox(folder, url)
    until(lambda: box.status.backlog == 0)
    box.close()


def test_everything_arrives_once_in_order_and_unaltered(tmp_path: Path, plant: Plant, server: PlantServer) -> None:
    ids = recorded(tmp_path, 220)
    box = outbox(tmp_path, server.url)
    until(lambda: len(plant.ids) == 220)
    ids += recorded(tmp_path, 5)
    until(lambda: box.status.backlog == 0)
    assert box.status.sent == 225
    box.close()
    assert plant.ids == ids
    assert plant.repeated == 0
    assert verify_lines(plant.lines) is None


def test_an_outage_delays_and_loses_nothing(tmp_path: Path, plant: Plant) -> None:
    first = PlantServer(plant)
    ids = recorded(tmp_path, 10)
    box = outbox(tmp_path, first.url)
    until(lambda: len(plant.ids) == 10)
    first.close()
    ids += recorded(tmp_path, 30)
    until(lambda: box.status.failures > 3)
    assert "cannot be reached" in box.status.error
    assert box.status.backlog == 30
    again = PlantServer(plant, first.port)
    until(lambda: box.status.backlog == 0)
    assert (box.status.failures, box.status.error) == (0, "")
    box.close()
    again.close()
    assert plant.ids == ids


@pytest.mark.parametrize("status", [500, 503, 401, 404, 429])
def test_an_answer_that_is_no_refusal_is_tried_again(
    tmp_path: Path, plant: Plant, server: PlantServer, status: int
) -> None:
    plant.status = status
    ids = recorded(tmp_path, 3)
    box = outbox(tmp_path, server.url)
    until(lambda: box.status.failures > PACE.tries + 1)
    plant.status = 200
    until(lambda: box.status.backlog == 0)
    assert box.status.quarantined == 0
    box.close()
    assert plant.ids == ids


def test_a_confirmation_that_was_lost_repeats_the_same_ids(tmp_path: Path, plant: Plant, server: PlantServer) -> None:
    plant.forgetful = 3
    ids = recorded(tmp_path, 120)
    box = outbox(tmp_path, server.url)
    until(lambda: box.status.backlog == 0)
    box.close()
    assert plant.ids == ids
    assert plant.repeated == 150  # the first batch, three times


def test_a_restart_goes_on_where_it_was(tmp_path: Path, plant: Plant, server: PlantServer) -> None:
    ids = recorded(tmp_path, 10)
    delivered(tmp_path, server.url)
    delivered(tmp_path, server.url)
    ids += recorded(tmp_path, 1)
    delivered(tmp_path, server.url)
    assert (plant.ids, plant.repeated) == (ids, 0)


@pytest.mark.parametrize("left", [3, 20], ids=["fewer records", "more records"])
def test_new_records_in_place_of_the_old_ones_are_all_delivered(
    tmp_path: Path, plant: Plant, server: PlantServer, left: int
) -> None:
    ids = recorded(tmp_path, 10)
    delivered(tmp_path, server.url)
    for file in tmp_path.glob("records.db*"):
        file.unlink()
    ids += recorded(tmp_path, left)
    delivered(tmp_path, server.url)
    assert plant.ids == ids


def test_a_poisoned_record_is_set_aside_after_five_tries(tmp_path: Path, plant: Plant, server: PlantServer) -> None:
    ids = recorded(tmp_path, 120)
    plant.poison = {ids[0], ids[70], ids[71]}
    box = outbox(tmp_path, server.url)
    until(lambda: box.status.backlog == 0)
    assert box.status.quarantined == 3
    assert box.status.sent == 117
    box.close()
    assert plant.ids == [id_ for id_ in ids if id_ not in plant.poison]
    assert plant.tried == dict.fromkeys(plant.poison, 5)


def test_a_server_that_refuses_everything_does_not_empty_the_outbox(
    tmp_path: Path, plant: Plant, server: PlantServer
) -> None:
    ids = recorded(tmp_path, 20)
    plant.poison = set(ids)
    pace = Pace(most_set_aside=4, tries=2, poll_s=0.01, first_wait_s=0.01, longest_wait_s=0.02, try_again_s=0.01)
    box = outbox(tmp_path, server.url, pace)
    until(lambda: box.status.failures > 5)
    assert (box.status.quarantined, box.status.backlog) == (4, 16)
    plant.poison = set()
    until(lambda: box.status.backlog == 0)
    box.close()
    assert plant.ids == ids[4:]


def test_a_batch_is_bounded_in_bytes(tmp_path: Path, plant: Plant, server: PlantServer) -> None:
    ids = recorded(tmp_path, 10)
    box = outbox(tmp_path, server.url, Pace(most_bytes=1, poll_s=0.01))
    until(lambda: len(plant.ids) == 10)
    box.close()
    assert (plant.ids, plant.requests) == (ids, 10)


def test_the_token_is_sent_and_may_change(tmp_path: Path, plant: Plant, server: PlantServer) -> None:
    token = tmp_path / "token"
    token.write_text("one\n")
    sink = HttpSink(PlantClient(server.url, token_file=token))
    sink.send(['{"id":"a"}'])
    token.write_text("two\n")
    sink.send(['{"id":"b"}'])
    assert plant.tokens == {"Bearer one", "Bearer two"}
    token.unlink()
    with pytest.raises(DeliveryError):
        sink.send(['{"id":"c"}'])


@pytest.mark.parametrize(
    "content",
    [b"\xff\xfe", "schl\u00fcssel".encode(), "schl\u00fcssel".encode("latin-1"), b"a b", b"a\rb", b"\nsecond"],
)
def test_a_token_that_no_header_carries_is_refused_at_the_start_and_survived_later(
    tmp_path: Path, plant: Plant, server: PlantServer, content: bytes
) -> None:
    token = tmp_path / "token"
    token.write_bytes(content)
    with pytest.raises(OptionError, match=r"token: its first line is no token"):
        PlantClient(server.url, token_file=token)
    token.write_text("first\n")
    ids = recorded(tmp_path, 1)
    sink = HttpSink(PlantClient(server.url, token_file=token))
    with closing(Outbox(tmp_path / "records.db", tmp_path / "outbox.db", sink, PACE)) as box:
        until(lambda: box.status.backlog == 0)
        token.write_bytes(content)
        ids += recorded(tmp_path, 1)
        until(lambda: "its first line is no token" in box.status.error)
        token.write_text("second\n")
        until(lambda: box.status.backlog == 0)
    assert plant.ids == ids


class FlakySink(HttpSink):
    """Fails once in a way that nobody expects of it."""

    failing = True

    def send(self, lines: Sequence[str]) -> None:
        if self.failing:
            self.failing = False
            raise RuntimeError("a bug")
        super().send(lines)


def test_a_bug_delays_and_loses_nothing(tmp_path: Path, plant: Plant, server: PlantServer) -> None:
    ids = recorded(tmp_path, 3)
    sink = FlakySink(PlantClient(server.url))
    with closing(Outbox(tmp_path / "records.db", tmp_path / "outbox.db", sink, PACE)) as box:
        until(lambda: box.status.backlog == 0)
    assert (plant.ids, sink.failing) == (ids, False)


def test_a_redirection_is_no_confirmation(plant: Plant, server: PlantServer) -> None:
    plant.status, plant.headers = 302, {"Location": server.url}
    with pytest.raises(DeliveryError, match="302"):
        HttpSink(PlantClient(server.url)).send(['{"id":"a"}'])


@pytest.mark.parametrize("answer", [b"<html>welcome</html>", b"[]", b'{"through": "another"}'])
def test_an_answer_that_confirms_something_else_is_an_error(plant: Plant, server: PlantServer, answer: bytes) -> None:
    plant.answer = answer
    with pytest.raises(DeliveryError):
        HttpSink(PlantClient(server.url)).send(['{"id":"a"}'])


@pytest.mark.parametrize("status", [400, 409, 413, 415, 422])
def test_a_refusal_is_told_with_what_the_server_says(plant: Plant, server: PlantServer, status: int) -> None:
    plant.status, plant.answer = status, b"unknown\nrecipe"
    with pytest.raises(DeliveryRefused, match=f"answered {status} unknown recipe"):
        HttpSink(PlantClient(server.url)).send(['{"id":"a"}'])


def test_a_record_that_was_damaged_is_set_aside(tmp_path: Path, plant: Plant, server: PlantServer) -> None:
    ids = recorded(tmp_path, 5)
    with closing(sqlite3.connect(tmp_path / "records.db")) as connection, connection:
        connection.execute("UPDATE parts SET document = 'é' WHERE sequence = 2")
    box = outbox(tmp_path, server.url)
    until(lambda: box.status.backlog == 0)
    assert box.status.quarantined == 1
    box.close()
    assert plant.ids == ids[:1] + ids[2:]


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://plant/", "http://", "http://user:secret@plant/"])
def test_an_address_that_cannot_be_is_refused(url: str) -> None:
    with pytest.raises(OptionError, match="plant server"):
        PlantClient(url)


def test_a_missing_file_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="a file cannot be used"):
        PlantClient("http://127.0.0.1/", token_file=tmp_path / "none")
    with pytest.raises(OptionError, match="a file cannot be used"):
        PlantClient("https://127.0.0.1/", ca_file=tmp_path / "none")


def test_the_thread_ends_while_it_waits(tmp_path: Path, server: PlantServer) -> None:
    recorded(tmp_path, 1)
    threads = threading.active_count()
    box = outbox(tmp_path, "http://127.0.0.1:9/", Pace(first_wait_s=1000, longest_wait_s=1000))
    until(lambda: box.status.failures == 1)
    box.close()
    box.close()
    assert threading.active_count() == threads
