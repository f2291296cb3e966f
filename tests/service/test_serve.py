"""`sightline serve` as a process: it says when it is ready, drains when told to stop, and bounds what it is sent."""

import base64
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.service.server import picture, sight

from sightline.cli.main import run
from sightline.service.listening import MOST_HEAD_BYTES

DEADLINE_S = 120.0
ADDRESS = re.compile(r"serving at (https?)://127\.0\.0\.1:(\d+)")


@dataclass(frozen=True, kw_only=True)
class Running:
    """A server process that takes requests."""

    process: subprocess.Popen[str]
    said: list[str]  # on standard error, until it was ready

    @property
    def port(self) -> int:
        return int(ADDRESS.findall(self.said[-1])[0][1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(DEADLINE_S)


@contextmanager
def running(*options: str) -> Iterator[Running]:
    program = "from sightline.cli.main import main; main()"
    # NiceGUI does not compress what it sends where it finds itself in a test; this server is to be as people's are
    environment = {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}
    process = subprocess.Popen(
        [sys.executable, "-c", program, "serve", "--port", "0", *options],
        stderr=subprocess.PIPE,
        text=True,
        env=environment | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert process.stderr is not None
    too_late = threading.Timer(DEADLINE_S, process.kill)
    too_late.start()
    try:
        said = []
        for line in process.stderr:
            said.append(line)
            if ADDRESS.search(line):
                break
        assert said, "the server ended without a word"
        assert ADDRESS.search(said[-1]), "".join(said)
        too_late.cancel()  # only its start has to be quick: tests of a whole module share it
        yield Running(process=process, said=said)
    finally:
        too_late.cancel()
        process.kill()
        process.wait()
        process.stderr.close()


@pytest.fixture(scope="module")
def dev() -> Iterator[Running]:
    with running("--dev") as server:
        yield server


def get(url: str, context: ssl.SSLContext | None = None) -> tuple[int, str]:
    with urllib.request.urlopen(url, timeout=DEADLINE_S, context=context) as answer:
        return answer.status, answer.read().decode()


def test_dev_serves_without_login(dev: Running) -> None:
    status, text = get(f"{dev.url}/api/v1/account")
    assert (status, '"developer"' in text) == (200, True)
    assert not any("setup#" in line for line in dev.said)


def test_a_container_predicts_for_its_platform_and_does_nothing_else_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIP_HEALTH_ROUTE", "/alive")
    with running("--container", "--host", "127.0.0.1", "--model", f"cap={sight(tmp_path / 'cap.sight')}") as server:
        named = {"Host": "inspect-abc.a.run.app", "Content-Type": "application/json"}
        instance = {"content": base64.b64encode(picture(150)).decode()}
        body = json.dumps({"instances": [instance]}).encode()

        def ask(path: str, body: bytes | None = None) -> tuple[int, str]:
            asked = urllib.request.Request(f"{server.url}{path}", body, named)
            with urllib.request.urlopen(asked, timeout=DEADLINE_S) as answer:
                return answer.status, answer.read().decode()

        assert ask("/alive") == (200, '{"ready":true}')
        assert ask("/predict", body)[1].startswith('{"predictions":[{"ids":["1"')
        for path in ("/api/v1/inspections", "/api/v1/models", "/metrics"):
            with pytest.raises(urllib.error.HTTPError, match="401"):
                ask(path)


def exchange(port: int, *parts: bytes) -> bytes:
    """Send, and read until the server closes."""
    with socket.create_connection(("127.0.0.1", port), DEADLINE_S) as connection:
        try:
            for part in parts:
                connection.sendall(part)
            connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # it closed before it had all
        received = b""
        try:
            while chunk := connection.recv(65_536):
                received += chunk
        except ConnectionResetError:
            pass
        return received


def test_a_head_that_is_too_long_is_refused(dev: Running) -> None:
    endless = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * (2 * MOST_HEAD_BYTES)
    assert exchange(dev.port, endless).startswith(b"HTTP/1.1 400") or exchange(dev.port, endless) == b""
    short = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    assert exchange(dev.port, short).startswith(b"HTTP/1.1 200")


def test_one_connection_serves_many_requests(dev: Running) -> None:
    one = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n" + b"X: " + b"x" * 40_000 + b"\r\n"
    assert exchange(dev.port, *[one + b"\r\n"] * 3, one + b"Connection: close\r\n\r\n").count(b"HTTP/1.1 200") == 4


RUBBISH = [b"\0" * 100, b"GET / HTTP/9.9\r\n\r\n", b"\x16\x03\x01" * 50, b"GET http://[ HTTP/1.1\r\n\r\n"]


@pytest.mark.parametrize("rubbish", RUBBISH)
def test_rubbish_does_not_stop_the_server(dev: Running, rubbish: bytes) -> None:
    exchange(dev.port, rubbish)
    assert get(f"{dev.url}/healthz")[0] == 200


def test_it_is_set_up_by_the_link_and_ends_well_when_told_to(tmp_path: Path) -> None:
    with running("--folder", str(tmp_path)) as server:
        assert re.search(rf"{server.url}/setup#\S{{43}}$", server.said[-2].strip())
        assert server.stop() == 0
    assert (tmp_path / "plant.db").is_file()


def certificate(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    cert, private = folder / "cert.pem", folder / "key.pem"
    cert.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return cert, private


def test_tls_is_an_option(tmp_path: Path) -> None:
    cert, private = certificate(tmp_path)
    options = ("--certificate", str(cert), "--private-key", str(private))
    with running("--folder", str(tmp_path / "plant"), *options) as server:
        context = ssl.create_default_context(cafile=str(cert))
        assert get(f"https://localhost:{server.port}/healthz", context)[0] == 200
        assert server.stop() == 0


@pytest.fixture
def serve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]):  # type: ignore[no-untyped-def]
    """Runs a subcommand on a folder of its own; gives status and output."""
    monkeypatch.setenv("SIGHTLINE_STORE_FOLDER", str(tmp_path / "plant"))

    def call(*arguments: str) -> tuple[int, str]:
        status = run(["serve", *arguments])
        out, err = capfd.readouterr()
        return status, out + err

    return call


PASSWORD = ("--password", "seven quiet herons")


def test_accounts_are_made_on_the_command_line(serve) -> None:  # type: ignore[no-untyped-def]
    status, text = serve("setup-link")
    assert (status, "/setup#" in text) == (0, True)
    assert serve("users", "add", "ada", "--role", "administrator", *PASSWORD)[0] == 0
    assert serve("users", "add", "bob", "--role", "king", *PASSWORD)[0] == 1
    assert serve("users", "add", "bob", "--role", "operator", "--password", "short")[0] == 1
    assert serve("users", "password", "ada", *PASSWORD)[0] == 0
    assert serve("users", "list") == (0, "ada\tadministrator\tactive\n")
    status, text = serve("setup-link")
    assert (status, "there is an administrator already" in text) == (1, True)


def test_the_trail_is_proven_on_the_command_line(serve, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    serve("users", "add", "ada", "--role", "administrator", *PASSWORD)
    export = tmp_path / "audit.jsonl"
    assert serve("audit", "verify")[0] == 0
    assert serve("audit", "export", str(export))[0] == 0
    assert serve("audit", "export", str(export))[0] == 1
    assert serve("audit", "verify", "--file", str(export))[0] == 0
    assert serve("audit", "verify", "--against", str(export))[0] == 0
    export.write_text(export.read_text("utf-8").replace('"who":"command line"', '"who":"eve"'), "utf-8")
    status, text = serve("audit", "verify", "--file", str(export))
    assert (status, "was changed" in text) == (1, True)
    export.write_text("", "utf-8")
    assert serve("audit", "verify", "--file", str(export))[0] == 1


def test_the_database_is_copied_on_the_command_line(serve, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    serve("users", "add", "ada", "--role", "administrator", *PASSWORD)
    assert serve("backup", str(tmp_path / "copy.db"))[0] == 0
    assert b"ada" in (tmp_path / "copy.db").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["--dev", "--host", "0.0.0.0"], 1, "127.0.0.1 only"),
        (["--dev", "--model", "a=/nowhere"], 1, "model a: /nowhere is no file"),
        (["--dev", "--model", "a"], 2, "NAME=FILE"),
        (["--model", "a=b"], 2, "--model goes with --dev"),
        (["--certificate", __file__, "--private-key", __file__], 1, "Give both as PEM"),
        (["--certificate", __file__], 1, "both certificate and private_key"),
        (["nowhere.toml"], 1, "nowhere.toml: cannot be read"),
        (["--port", "1", "--host", "192.0.2.1"], 1, "cannot be listened at"),
    ],
)
def test_what_cannot_work_is_told_in_a_line(serve, arguments: list[str], status: int, message: str) -> None:  # type: ignore[no-untyped-def]
    found, text = serve(*arguments)
    assert (found, message in text) == (status, True), text


def test_what_is_not_installed_is_named(serve, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    for name in [name for name in sys.modules if name.startswith("sightline.store.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "sqlalchemy", None)
    status, text = serve("audit", "verify", "--file", "x")
    assert (status, "pip install 'sightline[server]'" in text) == (1, True), text


def test_asking_for_help_loads_nothing_of_the_server() -> None:
    program = "import sys; from sightline.cli.main import run; run(['serve', '--help']); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert {"fastapi", "sqlalchemy", "uvicorn"}.isdisjoint(done.stdout.split())
