"""The servers that the tests of PLCs share."""

from collections.abc import Iterator

import pytest

pytest.importorskip("asyncua", reason="the extra [station] is not installed")
pytest.importorskip("pymodbus", reason="the extra [station] is not installed")
pytest.importorskip("snap7", reason="the extra [station] is not installed")
pytest.importorskip("paho.mqtt", reason="the extra [station] is not installed")

from plc_servers import PASSWORD, PASSWORD_VARIABLE, Mosquitto


@pytest.fixture(scope="session", autouse=True)
def _password() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(PASSWORD_VARIABLE, PASSWORD)
        yield


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    if not Mosquitto.installed():
        pytest.skip("mosquitto is not installed (Debian: apt install mosquitto)")
    broker = Mosquitto(tmp_path_factory.mktemp("broker"))
    yield broker
    broker.close()
