"""Messages to the hundred services that Apprise knows: mail, chat, pagers.

Apprise opens connections of its own, so it runs in a process of its own, where every connection is judged by the same
rule as ours (`sightline.service.outbound`), and no program can be started. Its addresses hold passwords: they go
through a pipe, and nothing of them is told.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from importlib.util import find_spec

from sightline.errors import DeliveryError, OptionError
from sightline.service.outbound import LONGEST_URL, Reach

_MOST_S = 30.0  # for starting Python and reaching a service


def check_notice(url: str) -> None:
    """Refuse with OptionError what Apprise cannot send to, or would do on this machine itself."""
    if find_spec("apprise") is None:
        raise OptionError("address: only http and https without Apprise. Install it with pip install apprise.")
    if len(url) > LONGEST_URL or not _done({"url": url}):
        raise OptionError("address: is neither a web address nor one that Apprise knows; see its list of services.")


def send_notice(reach: Reach, url: str, *, title: str, text: str) -> None:
    """Send one message; raises DeliveryError, without a word of the address."""
    networks = [str(network) for network in reach.networks]
    if not _done({"url": url, "title": title, "text": text, "networks": networks}):
        raise DeliveryError("notice: the service did not take it, or lies in a network that the settings do not allow.")


def _done(order: Mapping[str, object]) -> bool:
    program = [sys.executable, "-m", "sightline.service.notice_process"]
    environment = {name: os.environ[name] for name in ("PATH", "PYTHONPATH", "LANG") if name in os.environ}  # no proxy
    try:
        done = subprocess.run(
            program,
            input=json.dumps(order).encode(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=_MOST_S,
            env=environment,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise DeliveryError(f"notice: the service did not take it within {_MOST_S:g} s.") from error
    return done.returncode == 0
