"""How often passwords may be tried: per account and address, per account, and per address, in bounded memory."""

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock

from sightline.errors import AccessError, BusyError

WINDOW_S = 300.0
PER_ACCOUNT = 50  # from all addresses together, so that many of them are no way around
PER_ADDRESS = 50  # a plant behind one proxy may be one address
MOST = 20_000  # counters in memory; the oldest give way


class Tries:
    """Counts tries within windows of five minutes; threads may share it. Forgets everything with the process."""

    def __init__(self, per_person: int = 5, clock: Callable[[], float] = time.monotonic, most: int = MOST) -> None:
        """
        Args:
            per_person: tries of one account from one address.
            most: counters in memory.
        """
        self._most = most
        self._per_person = per_person
        self._clock = clock
        self._lock = Lock()
        self._counts: OrderedDict[tuple[str, str], tuple[int, float]] = OrderedDict()  # -> (tries, first one's moment)

    def __len__(self) -> int:
        return len(self._counts)

    @contextmanager
    def counted(self, account: str, address: str) -> Iterator[None]:
        """One try within the block, which fails where AccessError leaves it.

        Raises:
            BusyError: there were too many.
        """
        place = _network(address)
        limits = {(account, place): self._per_person, (account, ""): PER_ACCOUNT, ("", place): PER_ADDRESS}
        self._begin(limits)
        try:
            yield
        except AccessError:
            raise
        except BaseException:
            self._took_back(limits)  # nobody learned whether it was right
            raise
        self._took_back(limits)
        with self._lock:
            self._counts.pop((account, place), None)

    def _begin(self, limits: dict[tuple[str, str], int]) -> None:
        """Count before it is tried, so that many at once do not slip through together."""
        now_s = self._clock()
        with self._lock:
            for key, most in limits.items():
                tries, since_s = self._counts.get(key, (0, now_s))
                if now_s - since_s < WINDOW_S and tries >= most:
                    left_s = WINDOW_S - (now_s - since_s)
                    raise BusyError(f"login: too many tries; wait {left_s / 60:.0f} minutes.", retry_s=left_s)
            for key in limits:
                tries, since_s = self._counts.get(key, (0, now_s))
                fresh = now_s - since_s >= WINDOW_S
                self._counts[key] = (1, now_s) if fresh else (tries + 1, since_s)
                self._counts.move_to_end(key)
            while len(self._counts) > self._most:
                self._counts.popitem(last=False)

    def _took_back(self, limits: dict[tuple[str, str], int]) -> None:
        with self._lock:
            for key in limits:
                tries, since_s = self._counts.get(key, (1, 0.0))
                self._counts[key] = (tries - 1, since_s)


def _network(address: str) -> str:
    """An IPv6 address as its /64, of which one customer has all; others as they are."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    return str(ipaddress.ip_network((found, 64), strict=False)) if found.version == 6 else str(found)
