"""A PostgreSQL of our own for tests: on a free port of this machine, gone afterwards."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Sequence
from pathlib import Path

import psycopg

WITHIN_S = 60


def programs() -> Path | None:
    """The folder with `initdb` and `postgres` of the newest version installed; None: there is none."""
    found = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    on_path = shutil.which("initdb")
    found += [Path(on_path).parent] if on_path and not found else []
    return max(found, key=lambda path: path.parent.name.zfill(4), default=None)


class Postgres:
    """A server, running until it is closed; unless it is durable, what it holds does not survive a loss of power."""

    def __init__(self, *, durable: bool = False) -> None:
        self._durable = durable
        found = programs()
        assert found is not None, "ask `programs` before"
        self._programs = found
        self._folder = Path(tempfile.mkdtemp(prefix="sightline-postgres-"))
        self._user = _unprivileged()
        if self._user is not None:
            shutil.chown(self._folder, self._user.pw_uid, self._user.pw_gid)
        self._run("initdb", "-D", "data", "-A", "trust", "-U", "sightline", "-E", "UTF8", "--locale=C", "--no-sync")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self.start()

    def start(self) -> None:
        """Start it, anew after `stop`; returns when it answers."""
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": "",
            "fsync": "on" if self._durable else "off",
            "shared_buffers": "64MB",
            "max_connections": 100,
        }
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with (self._folder / "log").open("ab") as log:
            self._server = subprocess.Popen(
                [*self._as_user(), str(self._programs / "postgres"), "-D", str(self._folder / "data"), *options],
                stdout=subprocess.DEVNULL,
                stderr=log,
                cwd=self._folder,
            )
        deadline = time.monotonic() + WITHIN_S
        while True:
            try:
                psycopg.connect(self._address("postgres"), connect_timeout=2).close()
                return
            except psycopg.OperationalError:
                said = (self._folder / "log").read_text("utf-8", "replace")[-2000:]
                assert self._server.poll() is None, said
                assert time.monotonic() < deadline, said
                time.sleep(0.02)

    def stop(self) -> None:
        """End all connections and the server; its data stay."""
        self._server.send_signal(signal.SIGINT)
        self._server.wait(WITHIN_S)

    def close(self) -> None:
        if self._server.poll() is None:
            self._server.send_signal(signal.SIGQUIT)
            self._server.wait(WITHIN_S)
        shutil.rmtree(self._folder, ignore_errors=True)

    def database(self, like: str = "") -> str:
        """The address of a new database: empty, or a copy of one that nobody is connected to."""
        name = f"t{uuid.uuid4().hex}"
        template = like.rpartition("/")[2] or "template0"
        with psycopg.connect(self._address("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}".encode())
        return f"postgresql+psycopg://sightline@127.0.0.1:{self.port}/{name}"

    def drop(self, url: str) -> None:
        """Remove a database, whoever is connected to it."""
        name = url.rpartition("/")[2]
        with psycopg.connect(self._address("postgres"), autocommit=True) as connection:
            connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)".encode())

    def _address(self, name: str) -> str:
        return f"host=127.0.0.1 port={self.port} user=sightline dbname={name}"

    def _as_user(self) -> Sequence[str]:
        """PostgreSQL refuses to run as root."""
        if self._user is None:
            return ()
        return ("setpriv", f"--reuid={self._user.pw_uid}", f"--regid={self._user.pw_gid}", "--clear-groups")

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [*self._as_user(), str(self._programs / program), *arguments],
            cwd=self._folder,
            check=True,
            capture_output=True,
            timeout=WITHIN_S,
        )


def _unprivileged() -> pwd.struct_passwd | None:
    if os.geteuid() != 0:
        return None
    names = {user.pw_name: user for user in pwd.getpwall()}
    return names.get("postgres") or names["nobody"]
