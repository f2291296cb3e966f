"""Records and pictures to the plant server over HTTP; docs/store-and-forward.md is what the server has to know."""

import hashlib
import json
import ssl
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import quote, urlsplit

import urllib3

from sightline.errors import DeliveryError, DeliveryRefused, OptionError

REFUSALS = frozenset({400, 409, 413, 415, 422})  # the content is wrong; all others may be otherwise another time
PICTURE_REFUSALS = REFUSALS | {404}  # the record was refused, or is no longer there
CLOCK, DIGEST = "X-Sightline-Clock", "X-Sightline-Digest"  # unix seconds at the station; SHA-256 of the body, hex
_LONGEST_ANSWER, _LONGEST_REFUSAL = 65_536, 200  # bytes
_CONNECTIONS = 4  # kept open: those of records, pictures and the station's own state


class PlantClient:
    """Asks one plant server, over connections that stay open; threads may share it.

    Without proxies and redirections: what anybody else confirms would be lost.
    """

    def __init__(
        self, url: str, *, token_file: Path | None = None, ca_file: Path | None = None, timeout_s: float = 10.0
    ) -> None:
        """
        Args:
            url: https://..., or http://... in a network that is trusted; where records go.
            token_file: its first line is sent as a bearer token; it is read anew each time, and so may be changed.
            ca_file: certificates (PEM) of who may vouch for the server; None: those of the system.

        Raises:
            OptionError: the address or a file cannot be used.
        """
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.password:
            raise OptionError(f"plant server {url!r:.80}: give http(s)://HOST[:PORT]/PATH, without a user or password.")
        self.url, self._token_file = url, token_file
        try:
            context = ssl.create_default_context(cafile=ca_file)
            if token_file:
                _token(token_file)
        except (OSError, ssl.SSLError) as error:
            raise OptionError(f"plant server {url}: a file cannot be used ({error}). Check its path.") from error
        # what the outboxes send may come twice, so they repeat it themselves, after their own time
        self._pool = urllib3.PoolManager(ssl_context=context, maxsize=_CONNECTIONS, retries=False, timeout=timeout_s)

    @property
    def base(self) -> str:
        """The server's address without the path of its interface."""
        parts = urlsplit(self.url)
        before, interface, _ = parts.path.partition("/api/")
        return f"{parts.scheme}://{parts.netloc}{before if interface else ''}"

    def ask(
        self, method: str, url: str, body: bytes | None, headers: Mapping[str, str], refusals: frozenset[int]
    ) -> bytes:
        """The answer to one request.

        Raises:
            DeliveryRefused: it answered with one of `refusals`. DeliveryError: it cannot be reached, or anything else.
        """
        sent = dict(headers)
        try:
            if self._token_file:
                sent["Authorization"] = f"Bearer {_token(self._token_file)}"
            answer = self._pool.request(method, url, body, headers=sent, redirect=False, preload_content=False)
            content = answer.read(_LONGEST_ANSWER)
            if answer.read(1):  # more than anybody would have to say
                answer.close()
            answer.release_conn()
        except (OSError, urllib3.exceptions.HTTPError) as error:
            raise DeliveryError(f"{url}: cannot be reached ({error}). Check the network and server.") from error
        if not 200 <= answer.status < 300:
            said = " ".join(content[:_LONGEST_REFUSAL].decode("utf-8", "replace").split())
            kind = DeliveryRefused if answer.status in refusals else DeliveryError
            raise kind(f"{url}: answered {answer.status} {said}".rstrip())
        return content


class HttpSink:
    """Posts records."""

    def __init__(self, client: PlantClient) -> None:
        self._client = client

    def send(self, lines: Sequence[str]) -> None:
        """As `Sink.send`; confirmed is what the server answers with the id of the last line."""
        body, last = _body(lines)
        headers = {"Content-Type": "application/x-ndjson", CLOCK: f"{time.time():.3f}"}
        content, url = self._client.ask("POST", self._client.url, body, headers, REFUSALS), self._client.url
        try:
            through = json.loads(content)["through"]
        except (ValueError, KeyError, TypeError) as error:
            raise DeliveryError(f"{url}: did not confirm; is this the plant server's address?") from error
        if through != last:
            raise DeliveryError(f"{url}: confirmed {through!r:.60}, expected {last}.")


class HttpPictures:
    """Puts pictures to the records that the server has."""

    def __init__(self, client: PlantClient) -> None:
        self._client = client

    def put(self, outcome: str, view: str, content: bytes) -> None:
        """As `PictureSink.put`."""
        url = f"{self._client.base}/api/v1/inspections/{quote(outcome, '')}/views/{quote(view, '')}/picture"
        headers = {"Content-Type": "image/png", DIGEST: hashlib.sha256(content).hexdigest()}
        self._client.ask("PUT", url, content, headers, PICTURE_REFUSALS)


def _token(path: Path) -> str:
    with path.open(encoding="utf-8") as file:
        return file.readline().strip()


def _body(lines: Sequence[str]) -> tuple[bytes, str]:
    """What is sent, and the id of the last record."""
    try:
        return "\n".join([*lines, ""]).encode("ascii"), str(json.loads(lines[-1])["id"])
    except (ValueError, KeyError, TypeError) as error:  # damaged since it was recorded
        raise DeliveryRefused("the station's record is damaged; see `verify`.") from error
