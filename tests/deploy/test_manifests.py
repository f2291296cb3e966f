"""What can be checked of the manifests without the programs that read them."""

import configparser
import json
import re
import shlex
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from shutil import which
from typing import Any

import pytest

from sightline.cli import line, main, serve
from sightline.devices.controllers import LONGEST_WAIT_S
from sightline.line.station import CLEAR_S, DRAIN_S
from sightline.service.settings import read

yaml = pytest.importorskip("yaml", reason="PyYAML is not installed: pip install pyyaml")
DEPLOY = Path(__file__).resolve().parents[2] / "deploy"


def documents() -> dict[str, dict[str, Any]]:
    texts = [path.read_text() for path in sorted((DEPLOY / "kubernetes").glob("*.yaml"))]
    found = [one for text in texts for one in yaml.safe_load_all(text)]
    return {one["kind"]: one for one in found}


def test_kubernetes_runs_it_as_nobody_with_a_read_only_root() -> None:
    found = documents()
    pod = found["Deployment"]["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["automountServiceAccountToken"] is False
    (container,) = pod["containers"]
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert {mount["name"] for mount in container["volumeMounts"]} == {volume["name"] for volume in pod["volumes"]}
    labels = found["Deployment"]["spec"]["template"]["metadata"]["labels"]
    assert found["Deployment"]["spec"]["selector"]["matchLabels"] == labels
    assert found["Service"]["spec"]["selector"] == labels
    assert found["PersistentVolumeClaim"]["metadata"]["name"] == pod["volumes"][0]["persistentVolumeClaim"]["claimName"]
    assert found["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"] == labels


def station_service() -> configparser.SectionProxy:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[method-assign,assignment]
    unit.read(DEPLOY / "sightline-line.service")
    return unit["Service"]


def test_a_station_told_to_stop_has_time_to_let_parts_pass_and_to_close() -> None:
    assert float(station_service()["TimeoutStopSec"]) >= max(DRAIN_S, CLEAR_S) + 10


def test_the_watchdog_leaves_a_station_alone_that_waits_for_its_plc() -> None:
    watchdog_s = float(station_service()["WatchdogSec"])
    longest_cycle_s = 6 * LONGEST_WAIT_S  # OPC UA reads, and writes in two steps; each may take twice its timeout
    assert watchdog_s / 2 + longest_cycle_s < watchdog_s  # it is fed every half of its time, between two cycles


def test_compose_keeps_the_server_small_and_reachable_from_this_machine_alone() -> None:
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    assert set(compose["services"]) == {"server", "database", "prometheus"}
    server = compose["services"]["server"]
    assert server["read_only"] is True
    assert server["cap_drop"] == ["ALL"]
    ports = [port for one in compose["services"].values() for port in one.get("ports", ())]
    assert all(port.startswith("127.0.0.1:") for port in ports)
    named = {volume.split(":")[0] for one in compose["services"].values() for volume in one.get("volumes", ())}
    assert {name for name in named if not name.startswith(".")} == set(compose["volumes"])
    assert (DEPLOY.parent / "deploy" / server["build"]["context"] / server["build"]["dockerfile"]).is_file()


def test_the_image_runs_as_nobody_and_copies_what_exists() -> None:
    lines = (DEPLOY / "Dockerfile").read_text().splitlines()
    assert sum(line.startswith("FROM ") for line in lines) == 2
    assert "USER 10001" in lines
    copied = [line.split()[1:-1] for line in lines if line.startswith("COPY ") and "--from" not in line]
    ignored = (DEPLOY.parent / ".dockerignore").read_text().splitlines()
    for name in (name for names in copied for name in names):
        assert (DEPLOY.parent / name).exists(), name
        assert f"!{name}" in ignored, name


def dockerfile(word: str) -> list[str]:
    """What the Dockerfile says behind a word, as a list."""
    found = [one for one in (DEPLOY / "Dockerfile").read_text().splitlines() if one.startswith(f"{word} ")]
    return list(json.loads(found[-1].removeprefix(word)))


def command_lines() -> Iterator[tuple[str, list[str]]]:
    """(file, words behind the program's name) of every command that a manifest starts."""
    for path in sorted(DEPLOY.glob("*.service")):
        for text in path.read_text().splitlines():
            if text.startswith("ExecStart="):
                yield path.name, shlex.split(text.removeprefix("ExecStart="))[1:]
    assert dockerfile("ENTRYPOINT") == ["sightline"]
    yield "Dockerfile", dockerfile("CMD")
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    yield "compose.yaml", compose["services"]["server"].get("command", dockerfile("CMD"))
    (container,) = documents()["Deployment"]["spec"]["template"]["spec"]["containers"]
    yield "server.yaml", container["args"]


@pytest.mark.parametrize(("file", "words"), [pytest.param(*one, id=one[0]) for one in command_lines()])
def test_the_program_takes_what_it_is_started_with(
    file: str, words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[dict[str, Any]] = []
    for command in (line.run_command, serve.run_command):
        monkeypatch.setattr(command, "callback", lambda **given: taken.append(given))
    assert main.run(words) == main.DONE
    (given,) = taken
    assert given["json_log"] is True
    if file == "sightline-server.service":
        assert given["settings"] == Path("/etc/sightline/server.toml")


def test_what_the_manifests_set_is_what_the_server_reads() -> None:
    (container,) = documents()["Deployment"]["spec"]["template"]["spec"]["containers"]
    given = {one["name"]: one.get("value", "sqlite:///a.db") for one in container["env"]}
    assert "sightline.example.com" in read(None, given, {}).server.hosts, "the ingress would be refused"
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]["server"]["environment"]
    assert read(None, {**compose, "SIGHTLINE_SERVER_HOSTS": ""}, {}).server.hosts == ()
    assert compose["SIGHTLINE_SERVER_HOSTS"] == "${SIGHTLINE_SERVER_HOSTS:-}"
    image = " ".join((DEPLOY / "Dockerfile").read_text().replace("\\\n", " ").split())
    settings = read(None, dict(re.findall(r"(SIGHTLINE_\w+)=(\S+)", image)), {})
    assert (settings.server.host, settings.store.folder) == ("0.0.0.0", Path("/var/lib/sightline"))


@pytest.mark.skipif(which("openssl") is None, reason="openssl is not installed")
def test_prometheus_may_read_its_key_and_nobody_else_the_databases_password(tmp_path: Path) -> None:
    (tmp_path / "deploy" / "prometheus").mkdir(parents=True)
    told = [line.removeprefix("#   ") for line in (DEPLOY / "compose.yaml").read_text().splitlines()[1:3]]
    commands = "\n".join(re.split(r" {2,}", line)[0] for line in told)
    subprocess.run(["sh", "-c", f"umask 077\n{commands}"], cwd=tmp_path, check=True)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.rglob("*") if path.is_file()}
    assert modes == {"postgres-password": 0o600, "sightline-key": 0o644}


@pytest.mark.skipif(which("systemd-analyze") is None, reason="systemd is not installed")
@pytest.mark.parametrize("name", ["sightline-server.service", "sightline-line.service"])
def test_systemd_takes_the_unit(name: str, tmp_path: Path) -> None:
    # the program is not installed here, and that is all that may be wrong; its options are tested above
    unit = (DEPLOY / name).read_text().replace("/opt/sightline/bin/sightline", "/bin/true")
    (tmp_path / name).write_text(unit)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(tmp_path / name)], capture_output=True, text=True, check=False
    )
    said = [line for line in done.stderr.splitlines() if name in line]
    assert said == [], done.stderr


def test_the_server_unit_is_hardened() -> None:
    unit = configparser.RawConfigParser(strict=False)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(DEPLOY / "sightline-server.service")
    wanted = {"NoNewPrivileges": "yes", "ProtectSystem": "strict", "PrivateTmp": "yes", "CapabilityBoundingSet": ""}
    assert {name: unit["Service"][name] for name in wanted} == wanted
