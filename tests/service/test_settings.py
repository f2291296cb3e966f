"""Settings: every key is explained, everything wrong is told at once with its place."""

import re
import tomllib
from pathlib import Path

import pytest

from sightline.errors import OptionError
from sightline.line.toml_table import Given
from sightline.service.settings import Settings, example, explained, read

PAGE = Path(__file__).resolve().parents[2] / "docs" / "server.md"


def test_nothing_given_means_the_defaults() -> None:
    assert read(None, {}, {}) == Settings()


def test_the_example_is_the_defaults(tmp_path: Path) -> None:
    path = tmp_path / "server.toml"
    path.write_text(example(), "utf-8")
    tomllib.loads(example())
    found = read(path, {}, {})
    assert found.server == Settings().server
    assert found.access == Settings().access


def test_the_environment_is_over_the_file_and_options_over_both(tmp_path: Path) -> None:
    path = tmp_path / "server.toml"
    path.write_text('[server]\nport = 1\nhost = "10.0.0.1"\ndrain_s = 7\n', "utf-8")
    environment = {
        "SIGHTLINE_SERVER_PORT": "2",
        "SIGHTLINE_SERVER_HOST": "::1",
        "SIGHTLINE_SERVER_HOSTS": "a.example.com, b.example.com",
        "SIGHTLINE_ACCESS_OPEN_METRICS": "true",
        "SIGHTLINE_STORE_DATABASE": "postgresql+psycopg://u:1@db/x",
        "SIGHTLINE_SHARED": "of something else",
    }
    found = read(path, environment, {("server", "port"): Given(place="--port", value=3)})
    assert (found.server.port, found.server.host, found.server.drain_s) == (3, "::1", 7)
    assert found.server.hosts == ("a.example.com", "b.example.com")
    assert found.access.open_metrics
    assert found.store.url == "postgresql+psycopg://u:1@db/x"


def test_everything_wrong_is_told_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "server.toml"
    path.write_text('[server]\nport = 70000\nhots = "x"\n\n[access]\ntwo_people = true\n', "utf-8")
    with pytest.raises(OptionError) as caught:
        read(path, {"SIGHTLINE_SERVER_DRAIN_S": "soon"}, {("server", "host"): Given(place="--host", value=1)})
    assert set(str(caught.value).splitlines()) == {
        "--host: is 1; give text.",
        "environment, SIGHTLINE_SERVER_DRAIN_S: is 'soon'; give a whole number from 1 to 1e+06.",
        f"{path}, line 2: server.port: is 70000; give a whole number from 0 to 65535.",
        f"{path}, line 3: server.hots: there is no such key; did you mean hosts?",
        f"{path}, line 5: access: two_people takes signature = true.",
    }


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"SIGHTLINE_SERVER_POTR": "1"}, "SIGHTLINE_SERVER_POTR: there is no such setting"),
        ({"SIGHTLINE_SERVER_CERTIFICATE": __file__}, "both certificate and private_key"),
        ({"SIGHTLINE_SERVER_CERTIFICATE": "/nowhere/x.pem"}, "is no file"),
    ],
)
def test_a_wrong_variable_is_refused(environment: dict[str, str], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        read(None, environment, {})


def test_every_key_is_in_the_document() -> None:
    rows = set(re.findall(r"^\| `(\w+\.\w+)` \| (.*?) \| (.*?) \|$", PAGE.read_text("utf-8"), re.MULTILINE))
    assert rows == {(".".join(one.key), f"`{one.written}`" if one.written else "", one.told) for one in explained()}
