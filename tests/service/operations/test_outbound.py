"""Nothing that a person types in makes the server talk to itself, its neighbours or a cloud's metadata."""

import ipaddress
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler

import pytest
from tests.service.operations.outbound_server import Got, Peer, answer, serving

from sightline.errors import DeliveryError, OptionError
from sightline.service.outbound import Reach, check_url, networks_of, send

HERE = networks_of(["127.0.0.0/8"])
OPEN = Reach(networks=HERE, timeout_s=5.0)


class Rebinding:
    """A name server that says the first time something else than later."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers, self.asked = list(answers), 0

    def __call__(self, host: str, port: int) -> list[str]:
        self.asked += 1
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@pytest.fixture
def peer() -> Iterator[Peer]:
    with serving() as found:
        yield found


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "127.1", "2130706433", "0x7f.1", "0177.0.0.1", "localhost", "0.0.0.0", "[::1]", "[::]"),
        *("10.0.0.1", "172.16.3.4", "192.168.1.1", "169.254.169.254", "100.100.100.200", "168.63.129.16"),
        *("[::ffff:127.0.0.1]", "[::ffff:10.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[fd00:ec2::254]"),
        *("[fe80::1]", "[fe80::1%25lo]", "224.0.0.1", "255.255.255.255", "240.0.0.1", "192.0.0.192", "198.18.0.1"),
    ],
)
def test_what_is_not_public_is_refused(host: str) -> None:
    with pytest.raises((OptionError, DeliveryError)):
        send(Reach(timeout_s=1.0), "GET", f"http://{host}:9/x")


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "64:ff9b::808:808"])
def test_what_is_public_is_permitted(address: str) -> None:
    assert Reach().permits(address)


@pytest.mark.parametrize(
    "url",
    [
        *("file:///etc/passwd", "ftp://example.com/", "gopher://example.com/", "//example.com/", "example.com", ""),
        *("http://", "http://user:secret@example.com/", "http://example.com:99999/", "http://[::1", "http://ex ample/"),
        *("http://example.com/\r\nHost: other", "http://exämple.com/", "http://example.com/" + 2048 * "x"),
    ],
)
def test_what_is_no_plain_web_address_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(OptionError) as caught:
        check_url(url, OPEN)
    assert "secret" not in str(caught.value)


def test_a_network_that_the_settings_allow_is_reached(peer: Peer) -> None:
    got = send(OPEN, "POST", f"{peer.url}/hook?a=1", headers={"X-One": "1"}, body=b"hello")
    assert (got.status, got.body) == (200, b"ok")
    assert (peer.got[0].method, peer.got[0].path, peer.got[0].body) == ("POST", "/hook?a=1", b"hello")
    assert peer.got[0].headers["host"] == f"127.0.0.1:{peer.port}"


def test_a_name_is_resolved_once_and_the_connection_goes_there(peer: Peer) -> None:
    names = Rebinding(["127.0.0.1"], ["10.9.9.9"])
    send(Reach(networks=HERE, timeout_s=5.0, resolver=names), "GET", f"http://plant.example:{peer.port}/")
    assert names.asked == 1
    assert peer.got[0].headers["host"] == f"plant.example:{peer.port}"


def test_a_name_that_turns_private_after_it_was_saved_is_refused(peer: Peer) -> None:
    reach = Reach(resolver=Rebinding(["93.184.216.34"], ["127.0.0.1"]))
    url = f"http://rebinding.example:{peer.port}/"
    check_url(url, reach)
    with pytest.raises(OptionError, match="private network"):
        send(reach, "GET", url)
    assert peer.got == []


def test_a_name_with_a_public_and_a_private_address_is_refused(peer: Peer) -> None:
    reach = Reach(resolver=Rebinding(["93.184.216.34", "127.0.0.1"]))
    with pytest.raises(OptionError, match="private network"):
        send(reach, "GET", f"http://both.example:{peer.port}/")


def test_redirections_are_not_followed() -> None:
    def away(handler: BaseHTTPRequestHandler, got: Got) -> None:
        answer(handler, 302, Location="http://169.254.169.254/latest/meta-data/")

    with serving(away) as peer:
        assert send(OPEN, "GET", peer.url).status == 302
        assert len(peer.got) == 1


@pytest.mark.parametrize("announced", [True, False])
def test_an_answer_that_is_too_long_is_refused(announced: bool) -> None:
    def long(handler: BaseHTTPRequestHandler, got: Got) -> None:
        handler.send_response(200)
        if announced:
            handler.send_header("Content-Length", str(1 << 30))
        handler.end_headers()
        for _ in range(64):
            handler.wfile.write(bytes(65536))

    with serving(long) as peer, pytest.raises(DeliveryError, match="longer than 1000 bytes"):
        send(Reach(networks=HERE, longest_bytes=1000), "GET", peer.url)


@pytest.mark.parametrize("where", ["headers", "body"])
def test_an_answer_that_drips_ends_in_time(where: str) -> None:
    over = threading.Event()

    def drip(handler: BaseHTTPRequestHandler, got: Got) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n" + (b"" if where == "headers" else b"Content-Length: 999\r\n\r\n"))
        while not over.wait(0.05):
            handler.wfile.write(b"X")

    with serving(drip) as peer:
        try:
            with pytest.raises(DeliveryError, match=r"within 0\.5 s"):
                send(Reach(networks=HERE, timeout_s=0.5), "GET", peer.url)
        finally:
            over.set()


def test_an_answer_that_is_cut_short_is_no_answer() -> None:
    def short(handler: BaseHTTPRequestHandler, got: Got) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")

    with serving(short) as peer, pytest.raises(DeliveryError, match="IncompleteRead"):
        send(OPEN, "GET", peer.url)


def test_a_header_cannot_carry_another(peer: Peer) -> None:
    with pytest.raises(DeliveryError):
        send(OPEN, "GET", peer.url, headers={"X-One": "1\r\nX-Two: 2"})
    assert peer.got == []


def test_secrets_in_an_address_are_not_told() -> None:
    with pytest.raises(OptionError) as caught:
        send(Reach(), "GET", "http://127.0.0.1/services/T0/B0/secret?token=secret")
    assert "secret" not in str(caught.value)


def test_a_network_of_the_settings_must_be_one() -> None:
    assert networks_of(["10.1.0.0/16"]) == (ipaddress.IPv4Network("10.1.0.0/16"),)
    with pytest.raises(OptionError, match="network"):
        networks_of(["10.1.0.1/16"])
