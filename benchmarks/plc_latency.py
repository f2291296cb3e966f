"""How long reading a PLC and answering it takes by each protocol, over loopback, against servers of another make.

    python benchmarks/plc_latency.py [--rounds 1000]

By MQTT a read takes what came last and costs nothing; its write waits for the broker's acknowledgement, Sparkplug's
(quality of service 0, as the specification demands) only until it is sent.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from plc_servers import (
    PASSWORD,
    PASSWORD_VARIABLE,
    ModbusServer,
    Mosquitto,
    MqttServer,
    OpcUaServer,
    PlcServer,
    S7Server,
    SparkplugServer,
    write_certificate,
)
from sightline.devices.controllers import open_plc
from sightline.devices.plc import HEARTBEATS, Answer
from tables import RESULTS, Cell, write_table


def times_ms(work: Callable[[int], object], rounds: int) -> list[float]:
    found = []
    for number in range(rounds):
        started_s = time.perf_counter()
        work(number)
        found.append(1000 * (time.perf_counter() - started_s))
    return found


def row(name: str, server: PlcServer, rounds: int) -> dict[str, Cell]:
    """A write is of a new result each time, so that OPC UA needs all its steps."""
    plc = open_plc(name, server.config(server.port))
    reads = times_ms(lambda _: plc.read(), rounds)
    writes = times_ms(
        lambda n: plc.write(Answer(valid=True, ok=True, result_id=n + 1, heartbeat=n % HEARTBEATS)), rounds
    )
    plc.close()
    server.close()
    cells: dict[str, Cell] = {"protocol": name}
    for what, found in (("read", reads), ("write", writes)):
        cells |= {f"{what} p{part} ms": round(float(np.percentile(found, part)), 3) for part in (50, 99)}
    return cells


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=1_000)
    parser.add_argument("--output", type=Path, default=RESULTS)
    options = parser.parse_args()
    os.environ[PASSWORD_VARIABLE] = PASSWORD
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for name, uri in (("plc", "urn:plc"), ("station", "urn:sightline:station")):
            write_certificate(folder, name, uri)
        making: dict[str, Callable[[], PlcServer]] = {
            "Modbus TCP": ModbusServer,
            "S7": S7Server,
            "OPC UA, no security": OpcUaServer,
            "OPC UA, signed and encrypted": lambda: OpcUaServer(folder),
        }
        broker = Mosquitto(folder) if Mosquitto.installed() else None
        if broker is not None:
            making |= {
                "MQTT, TLS": lambda: MqttServer(broker),
                "Sparkplug B, TLS": lambda: SparkplugServer(broker, folder),
            }
        rows = [row(name, make(), options.rounds) for name, make in making.items()]
        if broker is not None:
            broker.close()
    command = f"python benchmarks/plc_latency.py --rounds {options.rounds}"
    page = write_table(
        options.output, "plc-latency", rows, title="Latency of PLC protocols over loopback", command=command
    )
    sys.stdout.write(page.read_text("utf-8"))


if __name__ == "__main__":
    main()
