"""Records to the plant server over HTTP; docs/store-and-forward.md is what the server has to know."""

import http.client
import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlsplit

from sightline.errors import DeliveryError, DeliveryRefused, OptionError

REFUSALS = frozenset({400, 409, 413, 415, 422})  # the content is wrong; all others may be otherwise another time
_LONGEST_ANSWER = 65_536


class HttpSink:
    """Posts batches to one address."""

    def __init__(
        self, url: str, *, token_file: Path | None = None, ca_file: Path | None = None, timeout_s: float = 10.0
    ) -> None:
        """
        Args:
            url: https://..., or http://... in a network that is trusted.
            token_file: its first line is sent as a bearer token; it is read anew each time, and so may be changed.
            ca_file: certificates (PEM) of who may vouch for the server; None: those of the system.

        Raises:
            OptionError: the address or a file cannot be used.
        """
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.password:
            raise OptionError(f"plant server {url!r:.80}: give http(s)://HOST[:PORT]/PATH, without a user or password.")
        self._url, self._timeout_s, self._token_file = url, timeout_s, token_file
        try:
            context = ssl.create_default_context(cafile=ca_file)
            if token_file:
                _token(token_file)
        except (OSError, ssl.SSLError) as error:
            raise OptionError(f"plant server {url}: a file cannot be used ({error}). Check its path.") from error
        # no proxy and no redirection: a record confirmed by anyone but the plant server would be lost
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context), _Stay()
        )

    def send(self, lines: Sequence[str]) -> None:
        """As `Sink.send`; confirmed is what the server answers with the id of the last line."""
        headers = {"Content-Type": "application/x-ndjson"}
        body, last = _body(lines)
        try:
            if self._token_file:
                headers["Authorization"] = f"Bearer {_token(self._token_file)}"
            request = urllib.request.Request(self._url, body, headers)
            with self._opener.open(request, timeout=self._timeout_s) as answer:
                content = answer.read(_LONGEST_ANSWER)
        except urllib.error.HTTPError as error:
            with error:
                self._told(error)
        except (OSError, http.client.HTTPException) as error:  # URLError is an OSError
            raise DeliveryError(f"{self._url}: cannot be reached ({error}). Check the network and server.") from error
        self._check(content, last)

    def _told(self, error: urllib.error.HTTPError) -> NoReturn:
        try:
            said = error.read(200).decode("utf-8", "replace")
        except (OSError, http.client.HTTPException):
            said = ""
        message = f"{self._url}: answered {error.code} {' '.join(said.split())}".rstrip()
        raise (DeliveryRefused if error.code in REFUSALS else DeliveryError)(message) from error

    def _check(self, content: bytes, last: str) -> None:
        try:
            through = json.loads(content)["through"]
        except (ValueError, KeyError, TypeError) as error:
            raise DeliveryError(f"{self._url}: did not confirm; is this the plant server's address?") from error
        if through != last:
            raise DeliveryError(f"{self._url}: confirmed {through!r:.60}, expected {last}.")


class _Stay(urllib.request.HTTPRedirectHandler):
    """Follows no redirection."""

    def redirect_request(self, *_: object) -> None:
        return None


def _token(path: Path) -> str:
    with path.open(encoding="utf-8") as file:
        return file.readline().strip()


def _body(lines: Sequence[str]) -> tuple[bytes, str]:
    """What is sent, and the id of the last record."""
    try:
        return "\n".join([*lines, ""]).encode("ascii"), str(json.loads(lines[-1])["id"])
    except (ValueError, KeyError, TypeError) as error:  # damaged since it was recorded
        raise DeliveryRefused("the station's record is damaged; see `verify`.") from error
