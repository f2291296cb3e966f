"""The process that hands one message to Apprise: `python -m sightline.service.notice_process`; see `notices`."""

import json
import sys

from sightline.service.outbound import Reach, networks_of

_FORBIDDEN = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "os.forkpty")
_LOCAL = frozenset({"dbus", "qt", "kde", "glib", "gnome", "macosx", "windows", "syslog"})  # this machine's own


def main() -> int:
    """0: sent; of an order without a text: Apprise knows the address."""
    order = json.load(sys.stdin)
    import apprise

    notifier = apprise.Apprise()
    local = str(order["url"]).partition("://")[0].lower() in _LOCAL
    if local or not notifier.add(order["url"]):
        return 1
    if "text" not in order:
        return 0
    guard(Reach(networks=networks_of(order["networks"])))
    return 0 if notifier.notify(title=order["title"], body=order["text"]) else 1


def guard(reach: Reach) -> None:
    """From here on this process connects only to where `reach` permits, and starts no program; cannot be undone.

    Python tells its hooks of every connection before it is made, with the address that it goes to: a name that
    resolves to something else the second time gains nothing.
    """

    def judge(event: str, arguments: tuple[object, ...]) -> None:
        if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
            address = arguments[1]
            if not isinstance(address, tuple) or not reach.permits(str(address[0])):
                raise PermissionError("this address may not be reached")
        elif event in _FORBIDDEN:
            raise PermissionError("no program may be started")

    sys.addaudithook(judge)


if __name__ == "__main__":
    sys.exit(main())
