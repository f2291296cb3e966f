"""Brings events to webhooks: signed, in order, again and again until they arrive or are given up.

A message is a POST of JSON, {"event", "at_s", "data"}, with the headers X-Sightline-Event, X-Sightline-Delivery (the
same for each try: who gets one twice can tell) and X-Sightline-Signature: t=SECONDS,v1=HMAC, in hex, of "SECONDS.BODY"
by SHA-256 with the webhook's secret. An answer of 200 to 299 is taken for received.
"""

import hashlib
import hmac
import json
import secrets
import threading
import time
from collections.abc import Callable
from random import Random, SystemRandom
from typing import Any, Self

from sightline.errors import DeliveryError, InspectionError, StoreError
from sightline.service.notices import check_notice, send_notice
from sightline.service.outbound import Reach, check_url, send
from sightline.store import webhooks as store
from sightline.store.database import Database
from sightline.store.webhooks import Parcel

KEPT_DAYS = 7.0  # deliveries that ended
_TIDY_EVERY_S = 600.0


def signature(secret: str, body: bytes, moment_s: int) -> str:
    """What the header holds; a receiver makes it anew, compares in constant time and refuses an old moment."""
    signed = hmac.new(secret.encode(), b"%d." % moment_s + body, hashlib.sha256)
    return f"t={moment_s},v1={signed.hexdigest()}"


def new_secret() -> str:
    """256 random bits."""
    return secrets.token_urlsafe(32)


def is_web(url: str) -> bool:
    return url.partition("://")[0].lower() in ("http", "https")


def check_target(url: str, reach: Reach) -> None:
    """Refuse with OptionError, or DeliveryError where its name is not known, what no message could be sent to."""
    if is_web(url):
        check_url(url, reach)
    else:
        check_notice(url)


def post(reach: Reach, parcel: Parcel, *, now_s: float) -> int:
    """Send one message; returns the status of the answer, 200 for services without one.

    Raises:
        DeliveryError: it did not arrive. OptionError: its address may not be reached.
    """
    if not is_web(parcel.url):
        told = json.loads(parcel.body)
        send_notice(reach, parcel.url, title=f"Sightline: {parcel.event}", text=_in_words(told.get("data", {})))
        return 200
    body = parcel.body.encode()
    headers = {
        "Content-Type": "application/json",
        "X-Sightline-Event": parcel.event,
        "X-Sightline-Delivery": str(parcel.id),
        "X-Sightline-Signature": signature(parcel.secret, body, int(now_s)),
    }
    status = send(reach, "POST", parcel.url, headers=headers, body=body).status
    if not 200 <= status < 300:
        raise DeliveryError(f"{store.shown(parcel.url)}: answered {status}.")
    return status


class Sender:
    """The threads that deliver; a webhook that is slow or away holds up one of them, and its own events alone."""

    def __init__(
        self,
        database: Database,
        reach: Reach,
        *,
        threads: int = 4,
        idle_s: float = 1.0,
        clock: Callable[[], float] = time.time,
        chance: Random | None = None,
    ) -> None:
        self.reach = reach
        self.delivered = self.failed = self.given_up = 0  # so far; for the metrics
        self._database, self._idle_s, self._clock = database, idle_s, clock
        self._chance = chance or SystemRandom()
        self._closing, self._counting = threading.Event(), threading.Lock()
        self._tidy_at = 0.0
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(threads)]

    def start(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def close(self) -> None:
        """Stop; what is on its way is finished, the rest waits for the next start."""
        self._closing.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join()

    def deliver(self) -> bool:
        """Send what is due first; False: nothing is. Raises StoreError."""
        with self._database.reading() as session:  # most looks find nothing, and disturb no writer
            if not store.is_due(session, now_s=self._clock()):
                return False
        with self._database.writing() as session:
            parcel = store.take(session, now_s=self._clock())
        if parcel is None:
            return False
        try:
            post(self.reach, parcel, now_s=self._clock())
            error = ""
        except InspectionError as told:
            error = str(told)
        with self._database.writing() as session:
            given_up = False
            if error:
                given_up = store.failed(session, parcel, error, now_s=self._clock(), chance=self._chance)
            else:
                store.delivered(session, parcel)
        with self._counting:
            self.delivered += not error
            self.failed += bool(error)
            self.given_up += given_up
        return True

    def tidy(self) -> None:
        """Remove what ended long ago, and give up what is too much; raises StoreError."""
        with self._database.writing() as session:
            given_up = store.tidy(session, older_than_s=self._clock() - KEPT_DAYS * 86_400)
        with self._counting:
            self.given_up += given_up

    def _run(self) -> None:
        while not self._closing.is_set():
            try:
                with self._counting:
                    tidy, now_s = time.monotonic() >= self._tidy_at, time.monotonic()
                    self._tidy_at = now_s + _TIDY_EVERY_S if tidy else self._tidy_at
                if tidy:
                    self.tidy()
                idle = not self.deliver()
            except StoreError:  # it is tried again
                idle = True
            if idle:
                self._closing.wait(self._idle_s)


def _in_words(data: dict[str, Any]) -> str:
    """For people: what has no value is left out."""
    return "\n".join(f"{name}: {value}" for name, value in data.items() if value not in (None, ""))
