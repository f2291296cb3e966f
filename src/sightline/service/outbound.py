"""Requests to addresses that somebody typed in: the one way out of the server.

A name is resolved once, every address it has is judged, and the connection goes to one of those: a name that says
something else the second time (DNS rebinding) gains nothing. Redirections are not followed, no proxy is used, and an
answer is bounded in size and time.
"""

import http.client
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from urllib.parse import SplitResult, urlsplit

from sightline.errors import DeliveryError, OptionError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Resolver = Callable[[str, int], Sequence[str]]  # host, port -> addresses; OSError where there are none
LONGEST_URL = 2048
_NEVER = tuple(  # what Python takes for public and is not: for protocols, Azure's host, local translation
    map(ipaddress.ip_network, ("192.0.0.0/24", "168.63.129.16/32", "64:ff9b:1::/48"))
)
_TRANSLATED = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052: the last 32 bits are an IPv4 address
_CHUNK = 65_536


def resolve(host: str, port: int) -> list[str]:
    """All addresses of a host by the system's resolver, each once; raises OSError where there are none."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """How far requests may go."""

    networks: tuple[Network, ...] = ()  # private ones that may be reached, by the server's settings
    timeout_s: float = 10.0  # for all of a request, the resolver's own time apart
    longest_bytes: int = 1 << 20  # of an answer's body
    resolver: Resolver = field(default=resolve, repr=False)

    def permits(self, address: str) -> bool:
        """Whether a connection may go to this address: it is public, or in a network that the settings name."""
        try:
            given = _plain(ipaddress.ip_address(address.partition("%")[0]))
        except ValueError:
            return False
        if any(given in network for network in self.networks):
            return True
        return given.is_global and not (given.is_multicast or given.is_reserved or any(given in one for one in _NEVER))


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]  # names in lower case
    body: bytes


def networks_of(texts: Sequence[str]) -> tuple[Network, ...]:
    """Networks such as 10.1.0.0/16 from the settings; raises OptionError."""
    try:
        return tuple(ipaddress.ip_network(text) for text in texts)
    except ValueError as error:
        raise OptionError(f"network: {error}; give it like 10.1.0.0/16.") from error


def check_url(url: str, reach: Reach) -> None:
    """Refuse with OptionError what `send` would refuse as things are: to tell a person at once, not as the guard."""
    _reachable(_parsed(url), reach)


def send(
    reach: Reach, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes | None = None
) -> Answer:
    """One request and its answer, whatever its status.

    Raises:
        OptionError: the address is malformed or may not be reached. DeliveryError: nobody answers there, or not in
            time, or the answer is too long or no HTTP.
    """
    parts = _parsed(url)
    deadline = time.monotonic() + reach.timeout_s
    addresses = _reachable(parts, reach)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        with closing(_connected(parts, addresses, deadline)) as connection:
            # whatever a slow peer drips, and wherever we wait for it, ends then
            ending = threading.Timer(max(0.0, deadline - time.monotonic()), _cut, (connection.sock,))
            ending.daemon = True
            ending.start()
            try:
                connection.request(method, target, body, {"User-Agent": "sightline", **(headers or {})})
                with connection.getresponse() as response:
                    content = _read(response, reach.longest_bytes)
                    if time.monotonic() >= deadline:  # what was cut off can look complete
                        raise TimeoutError
                    told = {name.lower(): value for name, value in response.getheaders()}
                    return Answer(status=response.status, headers=told, body=content)
            finally:
                ending.cancel()
                ending.join()
    except (OSError, http.client.HTTPException, ValueError) as error:  # ValueError: of a header
        late = time.monotonic() >= deadline
        why = f"no answer within {reach.timeout_s:g} s" if late else f"{type(error).__name__}: {error}"
        raise DeliveryError(
            f"{_shown(parts)}: cannot be reached ({why}). Check the address and the network."
        ) from error


def _parsed(url: str) -> SplitResult:
    wrong = len(url) > LONGEST_URL or not url.isascii() or any(sign <= " " or sign in '\\"<>' for sign in url)
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - is parsed, and refused, only when asked for
    except ValueError as error:
        raise OptionError("address: cannot be read; give http(s)://HOST[:PORT]/PATH.") from error
    if wrong or parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
        raise OptionError("address: give http(s)://HOST[:PORT]/PATH, without blanks, a user or a password.")
    return parts


def _reachable(parts: SplitResult, reach: Reach) -> list[str]:
    """The addresses of the host; if one of them may not be reached, none may: such a name is up to something."""
    assert parts.hostname is not None
    try:
        found = list(reach.resolver(parts.hostname, _port(parts)))
    except (OSError, UnicodeError) as error:
        raise DeliveryError(f"{_shown(parts)}: its host is not known. Check the address and the DNS.") from error
    if not found:
        raise DeliveryError(f"{_shown(parts)}: its host has no address. Check the address and the DNS.")
    if not all(map(reach.permits, found)):
        raise OptionError(
            f"{_shown(parts)}: lies in a private network. If it is meant, add the network to the server's settings."
        )
    return found


def _connected(parts: SplitResult, addresses: Sequence[str], deadline: float) -> http.client.HTTPConnection:
    assert parts.hostname is not None
    connection = http.client.HTTPConnection(parts.hostname, _port(parts))  # names the host; connects nowhere by itself
    connection.auto_open = 0
    plain = _first_open(addresses, _port(parts), deadline)
    try:
        connection.sock = plain
        if parts.scheme == "https":
            plain.settimeout(max(0.01, deadline - time.monotonic()))
            connection.default_port = 443
            connection.sock = ssl.create_default_context().wrap_socket(plain, server_hostname=parts.hostname)
    except BaseException:
        plain.close()
        raise
    return connection


def _first_open(addresses: Sequence[str], port: int, deadline: float) -> socket.socket:
    refused: OSError = TimeoutError("no time left")
    for address in addresses:
        left = deadline - time.monotonic()
        if left <= 0:
            break
        try:
            return socket.create_connection((address, port), timeout=left)
        except OSError as error:
            refused = error
    raise refused


def _read(response: http.client.HTTPResponse, longest: int) -> bytes:
    content = bytearray()
    while chunk := response.read1(_CHUNK):
        content += chunk
        if len(content) > longest:
            raise http.client.HTTPException(f"its answer is longer than {longest} bytes")
    if response.length:  # it ended before what it announced
        raise http.client.IncompleteRead(b"", response.length)
    return bytes(content)


def _cut(sock: socket.socket) -> None:
    with suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)


def _port(parts: SplitResult) -> int:
    return parts.port or (443 if parts.scheme == "https" else 80)


def _plain(address: Address) -> Address:
    """The IPv4 address that an IPv6 one stands for, if it does."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _TRANSLATED:
        return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    teredo = address.teredo
    return address.ipv4_mapped or address.sixtofour or (teredo[1] if teredo else None) or address


def _shown(parts: SplitResult) -> str:
    """Without path and query, which may hold secrets."""
    return f"{parts.scheme}://{parts.netloc}"
