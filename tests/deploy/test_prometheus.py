"""The alert rules fire when they should; every query of rules and dashboard finds something in a real Prometheus."""

import json
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
DASHBOARD = DEPLOY / "grafana" / "sightline.json"
needs_prometheus = pytest.mark.skipif(
    not (shutil.which("prometheus") and shutil.which("promtool")),
    reason="Prometheus is not installed: apt-get install prometheus",
)


def panels() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(DASHBOARD.read_text())["panels"]
    return found


def queries() -> list[str]:
    return [target["expr"].replace("$station", ".*") for panel in panels() for target in panel["targets"]]


@needs_prometheus
@pytest.mark.parametrize("arguments", [("check", "rules", "alerts.yml"), ("test", "rules", "alerts_test.yml")])
def test_promtool_is_content(arguments: tuple[str, ...]) -> None:
    done = subprocess.run(
        ["promtool", *arguments], cwd=DEPLOY / "prometheus", capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_has_a_severity_and_a_sentence_and_a_test() -> None:
    rules, tests = ((DEPLOY / "prometheus" / name).read_text() for name in ("alerts.yml", "alerts_test.yml"))
    names = re.findall(r"- alert: (\w+)", rules)
    assert len(names) == len(set(names)) == rules.count("severity:") == rules.count("summary:")
    untested = {"SightlineDeliveriesGivenUp"}  # its expression is; the value of `delta` is extrapolated
    assert {name for name in names if name not in tests} <= untested


def test_panels_lie_beside_each_other() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in panels():
        at = panel["gridPos"]
        cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24
        taken |= cells


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of one that has scraped the exporter a few times."""
    folder = tmp_path_factory.mktemp("prometheus")
    exporter = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("exporter.py"))], stdout=subprocess.PIPE, text=True
    )
    try:
        assert exporter.stdout is not None
        target = f"127.0.0.1:{int(exporter.stdout.readline())}"
        (folder / "prometheus.yml").write_text(
            "global: {scrape_interval: 1s}\n"
            f"scrape_configs: [{{job_name: sightline-line, static_configs: [{{targets: ['{target}']}}]}}]\n"
        )
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            address = f"127.0.0.1:{free.getsockname()[1]}"
        program = [
            "prometheus", f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address={address}", "--log.level=error",
        ]  # fmt: skip
        with subprocess.Popen(program, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
            try:
                _until_scraped(f"http://{address}")
                yield f"http://{address}"
            finally:
                server.terminate()
                server.wait(30)
    finally:
        exporter.terminate()
        exporter.wait(30)
        assert exporter.stdout is not None
        exporter.stdout.close()


def ask(address: str, query: str) -> list[dict[str, Any]]:
    url = f"{address}/api/v1/query?{urllib.parse.urlencode({'query': query})}"
    with urllib.request.urlopen(url, timeout=30) as answer:
        result: list[dict[str, Any]] = json.load(answer)["data"]["result"]
        return result


def _until_scraped(address: str) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            found = ask(address, "count_over_time(sightline_line_ready[1m])")
            if found and int(found[0]["value"][1]) >= 3:
                return
        except OSError:
            pass
        assert time.monotonic() < deadline, "Prometheus did not scrape in time"
        time.sleep(0.1)


@needs_prometheus
def test_every_query_of_the_dashboard_finds_something(prometheus: str) -> None:
    assert [query for query in queries() if not ask(prometheus, query)] == []


@needs_prometheus
def test_every_series_of_the_alert_rules_exists(prometheus: str) -> None:
    names = set(re.findall(r"\bsightline_(?:line|server)_\w+", (DEPLOY / "prometheus" / "alerts.yml").read_text()))
    assert len(names) > 10
    assert [name for name in sorted(names) if not ask(prometheus, name)] == []
