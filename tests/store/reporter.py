"""A server's ingest in a process of its own, to be killed: `python -m tests.store.reporter URL STATION`.

Prints the id through which records were confirmed, batch by batch, until it is ended.
"""

import sys
import time

from tests.store.lines import Teller

from sightline.store.database import Database
from sightline.store.ingest import ingest


def main(url: str, station: str) -> None:
    database, teller = Database(url), Teller(station=station)
    while True:
        receipt = ingest(database, teller.parts(20), now_s=time.time())
        print(receipt.through, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
