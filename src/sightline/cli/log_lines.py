"""The log of a long-running command, on standard error: to be read, or one JSON object per line for a collector."""

import json
import logging
import time
from datetime import UTC, datetime


class JsonLines(logging.Formatter):
    """`time` in UTC, `level`, `logger`, `message`, and `traceback` where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        content = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            content["traceback"] = self.formatException(record.exc_info)
        return json.dumps(content)


class Lines(logging.Formatter):
    """Time in UTC, level and message."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(message)s", "%Y-%m-%dT%H:%M:%SZ")
        self.converter = time.gmtime


def log_to_stderr(*, as_json: bool) -> logging.Handler:
    """Begin; ours from `info` on, those of libraries from `warning` on. `logging.root.removeHandler` ends it."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines() if as_json else Lines())
    logging.root.addHandler(handler)
    logging.getLogger("sightline").setLevel(logging.INFO)
    return handler
