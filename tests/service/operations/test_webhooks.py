"""Events reach webhooks signed, in order and at least once, whatever is away, and never where they should not."""

import hashlib
import hmac
import json
import logging
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from importlib.util import find_spec
from random import Random

import pytest
from tests.service.operations.conftest import application
from tests.service.operations.outbound_server import Got, Peer, answer, serving

from sightline.errors import DeliveryError, OptionError
from sightline.service.notices import check_notice, send_notice
from sightline.service.outbound import Reach, networks_of
from sightline.service.plant import Plant
from sightline.service.routes.webhooks import router
from sightline.service.webhooks import Sender, check_target, signature
from sightline.store import webhooks
from sightline.store.database import Database
from sightline.store.webhooks import LEASE_S, MOST_TRIES, Target

REACH = Reach(networks=networks_of(["127.0.0.0/8"]), timeout_s=5.0)


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


class Moody:
    """A peer that answers with these statuses, and with the last one from then on."""

    def __init__(self, *statuses: int) -> None:
        self.statuses = list(statuses)

    def __call__(self, handler: BaseHTTPRequestHandler, _: Got) -> None:
        answer(handler, self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0])


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def peer() -> Iterator[Peer]:
    with serving() as found:
        yield found


def added(database: Database, url: str, *events: str, active: bool = True) -> int:
    with database.writing() as session:
        return webhooks.add(
            session, url=url, events=events or ("alert.raised",), secret="k", active=active, author="ada", now_s=1.0
        )


def published(database: Database, number: int, event: str = "alert.raised") -> None:
    with database.writing() as session:
        webhooks.publish(session, event, {"number": number}, now_s=1000.0)


def all_sent(sender: Sender) -> None:
    while sender.deliver():
        pass


def target(database: Database, hook: int) -> Target:
    with database.reading() as session:
        return next(one for one in webhooks.targets(session) if one.id == hook)


def numbers(peer: Peer) -> list[int]:
    return [json.loads(got.body)["data"]["number"] for got in peer.got]


def test_events_come_signed_and_in_order_to_those_that_want_them(database: Database, peer: Peer, clock: Clock) -> None:
    added(database, f"{peer.url}/a")
    added(database, f"{peer.url}/other", "job.ended")
    added(database, f"{peer.url}/off", active=False)
    for number in range(5):
        published(database, number)
    all_sent(Sender(database, REACH, clock=clock))
    assert numbers(peer) == [0, 1, 2, 3, 4]
    assert {got.path for got in peer.got} == {"/a"}
    first = peer.got[0]
    told = dict(part.split("=") for part in first.headers["x-sightline-signature"].split(","))
    expected = hmac.new(b"k", told["t"].encode() + b"." + first.body, hashlib.sha256).hexdigest()
    assert (told["t"], told["v1"]) == ("1000", expected)
    assert first.headers["x-sightline-event"] == "alert.raised"
    assert json.loads(first.body) == {"event": "alert.raised", "at_s": 1000.0, "data": {"number": 0}}


def test_the_signature_is_the_one_of_the_document() -> None:
    assert signature("secret", b'{"a":1}', 1700000000) == (
        "t=1700000000,v1=" + hmac.new(b"secret", b'1700000000.{"a":1}', hashlib.sha256).hexdigest()
    )


def test_one_that_fails_is_tried_again_later_and_holds_up_what_follows(database: Database, clock: Clock) -> None:
    with serving(Moody(500, 302, 200)) as peer:
        added(database, peer.url)
        published(database, 0)
        published(database, 1)
        sender = Sender(database, REACH, clock=clock, chance=Random(1))
        all_sent(sender)
        assert numbers(peer) == [0]
        clock.now_s += 3.9  # 5 s, less 20 % at most, have not passed
        all_sent(sender)
        assert numbers(peer) == [0]
        clock.now_s += 2.2
        all_sent(sender)
        assert numbers(peer) == [0, 0]
        clock.now_s += 12.1
        all_sent(sender)
        assert numbers(peer) == [0, 0, 0, 1]
        assert len({got.headers["x-sightline-delivery"] for got in peer.got[:3]}) == 1
        assert (sender.delivered, sender.failed, sender.given_up) == (2, 2, 0)


def test_one_that_never_arrives_is_given_up_and_counted_and_the_next_gets_its_turn(
    database: Database, clock: Clock
) -> None:
    with serving(Moody(*([503] * MOST_TRIES), 200)) as peer:
        hook = added(database, peer.url)
        published(database, 0)
        published(database, 1)
        sender = Sender(database, REACH, clock=clock)
        for _ in range(MOST_TRIES + 1):
            all_sent(sender)
            clock.now_s += 3600 * 1.21
        assert numbers(peer) == [0] * MOST_TRIES + [1]
        assert (sender.given_up, target(database, hook).given_up, target(database, hook).waiting) == (1, 1, 0)


def test_a_webhook_that_is_away_holds_up_nobody_else(database: Database, peer: Peer, clock: Clock) -> None:
    added(database, "http://127.0.0.1:9/away")
    added(database, peer.url)
    for number in range(3):
        published(database, number)
    all_sent(Sender(database, REACH, clock=clock))
    assert numbers(peer) == [0, 1, 2]


def test_what_a_dead_sender_held_is_sent_by_another_one(database: Database, peer: Peer, clock: Clock) -> None:
    added(database, peer.url)
    published(database, 0)
    with database.writing() as session:
        assert webhooks.take(session, now_s=clock.now_s) is not None
    sender = Sender(database, REACH, clock=clock)
    assert not sender.deliver()
    clock.now_s += LEASE_S
    assert sender.deliver()
    assert numbers(peer) == [0]


def test_threads_of_two_servers_send_each_event_once(database: Database, peer: Peer) -> None:
    from tests.line.deadline import until

    hook = added(database, peer.url)
    for number in range(20):
        published(database, number)
    senders = [Sender(database, REACH, threads=2, idle_s=0.01).start() for _ in range(2)]
    try:
        until(lambda: target(database, hook).waiting == 0)
    finally:
        for sender in senders:
            sender.close()
    assert numbers(peer) == list(range(20))


def test_an_event_is_there_only_if_what_it_tells_of_is(sqlite: Database, peer: Peer) -> None:
    hook = added(sqlite, peer.url)

    def fail() -> None:
        with sqlite.writing() as session:
            webhooks.publish(session, "alert.raised", {}, now_s=1.0)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert target(sqlite, hook).waiting == 0


def test_a_queue_that_is_too_long_loses_its_oldest(sqlite: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "MOST_WAITING", 3)
    hook = added(sqlite, "http://127.0.0.1:9/")
    for number in range(5):
        published(sqlite, number)
    sender = Sender(sqlite, REACH, clock=Clock())
    sender.tidy()
    assert (target(sqlite, hook).waiting, sender.given_up) == (3, 2)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1/x", "http://169.254.169.254/", "file:///etc/passwd", "nonsense", "syslog://"]
)
def test_no_webhook_leads_where_it_should_not(url: str) -> None:
    with pytest.raises(OptionError):
        check_target(url, Reach())


def test_apprise_reaches_what_the_settings_allow_and_nothing_else(peer: Peer) -> None:
    if find_spec("apprise") is None:
        pytest.skip("Apprise is not installed: pip install apprise")
    url = f"json://user:very-secret@127.0.0.1:{peer.port}/in"
    check_notice(url)
    send_notice(REACH, url, title="Sightline: alert.raised", text="press-3: too many rejects")
    told = json.loads(peer.got[0].body)
    assert (told["title"], told["message"]) == ("Sightline: alert.raised", "press-3: too many rejects")
    with pytest.raises(DeliveryError) as caught:
        send_notice(Reach(), url, title="t", text="x")
    assert "very-secret" not in str(caught.value)
    assert len(peer.got) == 1


def test_the_routes_show_no_secret_and_test_a_webhook(
    sqlite: Database, peer: Peer, plant_of: Callable[..., Plant], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    sender = Sender(sqlite, REACH)
    with application(plant_of(sqlite, sender=sender), router) as client:
        address = f"{peer.url}/hidden?token=hidden"
        made = client.post("/api/v1/webhooks", json={"url": address, "events": ["job.ended"]})
        assert made.status_code == 201
        secret, hook = made.json()["secret"], made.json()["id"]
        assert len(secret) > 40
        listed = client.get("/api/v1/webhooks").text
        assert secret not in listed
        assert "hidden" not in listed
        tried = client.post(f"/api/v1/webhooks/{hook}/test").json()
        assert (tried["delivered"], tried["detail"]) == (True, "answered 200")
        assert peer.got[0].headers["x-sightline-event"] == "test"
        changed = client.patch(f"/api/v1/webhooks/{hook}", json={"active": False, "new_secret": True}).json()
        assert changed["secret"] not in (None, secret)
        assert client.patch(f"/api/v1/webhooks/{hook}", json={"url": "http://10.0.0.1/"}).status_code == 422
        assert client.post("/api/v1/webhooks", json={"url": address, "events": ["made.up"]}).status_code == 422
        assert client.delete(f"/api/v1/webhooks/{hook}").status_code == 204
        assert client.post(f"/api/v1/webhooks/{hook}/test").status_code == 404
    assert secret not in caplog.text
    assert "hidden" not in caplog.text
