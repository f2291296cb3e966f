"""Records and pictures to the plant server over HTTP; docs/store-and-forward.md is what the server has to know."""

import hashlib
import json
import math
import ssl
import time
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote, urlsplit

import urllib3

from sightline.errors import DeliveryError, DeliveryRefused, OptionError
from sightline.line.picture_outbox import Picture

REFUSALS = frozenset({400, 409, 413, 415, 422})  # the content is wrong; all others may be otherwise another time
PICTURE_REFUSALS = REFUSALS | {404}  # the record was refused, or is no longer there
NOT_TOGETHER = REFUSALS | {404, 405}  # and then each alone
MOST_PICTURES = 32  # in one request
PICTURES_TYPE = "application/vnd.sightline.pictures"
CLOCK, DIGEST = "X-Sightline-Clock", "X-Sightline-Digest"  # unix seconds at the station; SHA-256 of the body, hex
_LONGEST_ANSWER, _LONGEST_REFUSAL = 65_536, 200  # bytes
_LONGEST_TOKEN = 8_192  # bytes
_ALONE_S = 600.0  # pictures are sent one in each request, after several were refused as a whole
_PNG = "image/png"
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
        except (OSError, ssl.SSLError, ValueError) as error:
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
        self, method: str, url: str, body: bytes | None, headers: dict[str, str], refusals: frozenset[int]
    ) -> bytes:
        """The answer to one request.

        Raises:
            DeliveryRefused: it answered with one of `refusals`. DeliveryError: it cannot be reached, or anything else.
        """
        sent = headers | self._authorization()
        try:
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

    def _authorization(self) -> dict[str, str]:
        if self._token_file is None:
            return {}
        try:
            return {"Authorization": f"Bearer {_token(self._token_file)}"}
        except (OSError, ValueError) as error:
            raise DeliveryError(f"plant server {self.url}: the token cannot be used ({error}).") from error


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
    """Delivers pictures to the records that the server has: several in a request; to an older server, one.

    One thread uses it.
    """

    def __init__(self, client: PlantClient) -> None:
        self._client = client
        self._alone_until_s = -math.inf  # of time.monotonic()

    @property
    def at_once(self) -> int:
        """As `PictureSink.at_once`."""
        return MOST_PICTURES if time.monotonic() >= self._alone_until_s else 1

    def send(self, pictures: Sequence[Picture]) -> list[str]:
        """As `PictureSink.send`; confirmed is what the server answers with its digest."""
        digests = [hashlib.sha256(picture.content).hexdigest() for picture in pictures]
        if len(pictures) > 1:
            try:
                return self._send_together(pictures, digests)
            except DeliveryRefused:  # as a whole: an older server, or something on the way that lets less through
                self._alone_until_s = time.monotonic() + _ALONE_S
        try:
            self._send_alone(pictures[0], digests[0])
        except DeliveryRefused as error:
            return [str(error)]
        return [""]

    def _send_together(self, pictures: Sequence[Picture], digests: Sequence[str]) -> list[str]:
        listed = [
            {
                "inspection": picture.outcome,
                "view": picture.view,
                "size_bytes": len(picture.content),
                "digest": digest,
                "media_type": _PNG,
            }
            for picture, digest in zip(pictures, digests, strict=True)
        ]
        lines = [json.dumps({"pictures": listed}).encode("ascii"), b"\n", *(picture.content for picture in pictures)]
        url = f"{self._client.base}/api/v1/ingest/pictures"
        content = self._client.ask("POST", url, b"".join(lines), {"Content-Type": PICTURES_TYPE}, NOT_TOGETHER)
        try:
            became = [
                (str(one["digest"]), int(one["status"]), str(one["detail"])) for one in json.loads(content)["pictures"]
            ]
        except (ValueError, KeyError, TypeError) as error:
            raise DeliveryError(f"{url}: did not confirm; is this the plant server's address?") from error
        if [digest for digest, _, _ in became] != digests:
            raise DeliveryError(f"{url}: confirmed other pictures than were sent.")
        return _until_later(url, became)

    def _send_alone(self, picture: Picture, digest: str) -> None:
        path = f"/api/v1/inspections/{quote(picture.outcome, '')}/views/{quote(picture.view, '')}/picture"
        headers = {"Content-Type": _PNG, DIGEST: digest}
        self._client.ask("PUT", f"{self._client.base}{path}", picture.content, headers, PICTURE_REFUSALS)


def _until_later(url: str, became: Sequence[tuple[str, int, str]]) -> list[str]:
    """What is said of the pictures before the first that has to wait; raises DeliveryError where that is the first."""
    said: list[str] = []
    for _, status, detail in became:
        if status != 200 and status not in PICTURE_REFUSALS:
            if not said:
                raise DeliveryError(f"{url}: answered {status} {detail:.{_LONGEST_REFUSAL}}".rstrip())
            break
        said.append("" if status == 200 else f"{url}: answered {status} {detail:.{_LONGEST_REFUSAL}}".rstrip())
    return said


def _token(path: Path) -> str:
    """Raises OSError where it cannot be read, ValueError where no header could carry it."""
    with path.open("rb") as file:
        token = file.readline(_LONGEST_TOKEN).strip()
    if not token.isascii() or not token.decode("ascii").isprintable() or b" " in token or not token:
        raise ValueError(f"{path}: its first line is no token; give ASCII characters without a space")
    return token.decode("ascii")


def _body(lines: Sequence[str]) -> tuple[bytes, str]:
    """What is sent, and the id of the last record."""
    try:
        return "\n".join([*lines, ""]).encode("ascii"), str(json.loads(lines[-1])["id"])
    except (ValueError, KeyError, TypeError) as error:  # damaged since it was recorded
        raise DeliveryRefused("the station's record is damaged; see `verify`.") from error
