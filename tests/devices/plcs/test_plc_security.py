"""Who may talk to whom: nobody without the right certificate, user and password, and never in the clear by default."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest

from plc_servers import (
    PASSWORD,
    USER,
    Mosquitto,
    MqttServer,
    OpcUaServer,
    Proxy,
    free_port,
    wait_for,
    write_certificate,
)
from sightline.devices.controllers import open_plc
from sightline.devices.credentials import Login
from sightline.devices.mqtt_broker import BrokerConfig
from sightline.devices.mqtt_plc import MqttConfig
from sightline.devices.opcua_plc import Mode, OpcUaConfig, Security
from sightline.devices.plc import SAFE, Answer
from sightline.errors import DeviceError, OptionError


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certificates")
    write_certificate(folder, "plc", "urn:plc")
    for name in ("station", "stranger"):
        write_certificate(folder, name, "urn:sightline:station")
    (folder / "password").write_text(f"{PASSWORD}\n", "utf-8")
    (folder / "wrong").write_text("wrong\n", "utf-8")
    return folder


@pytest.fixture(scope="module")
def opcua(folder: Path) -> Iterator[OpcUaServer]:
    server = OpcUaServer(folder)
    yield server
    server.close()


def secured(server: OpcUaServer) -> OpcUaConfig:
    config = server.config(server.port)
    assert isinstance(config, OpcUaConfig)
    return config


def test_opc_ua_with_certificates_and_a_user_works(opcua: OpcUaServer, folder: Path) -> None:
    login = Login(user=USER, password_file=folder / "password")
    plc = open_plc("plc", dataclasses.replace(secured(opcua), login=login))
    answer = Answer(valid=True, ok=True, result_id=3)
    plc.write(answer)
    assert opcua.heard() == answer
    plc.close()
    assert opcua.heard() == SAFE


@pytest.mark.parametrize("case", ["password", "user", "anonymous", "no security", "mode", "server's certificate"])
def test_opc_ua_refuses(opcua: OpcUaServer, folder: Path, case: str) -> None:
    config = secured(opcua)
    wrong = {
        "password": dataclasses.replace(config, login=Login(user=USER, password_file=folder / "wrong")),
        "user": dataclasses.replace(config, login=Login(user="other", password_file=folder / "password")),
        "anonymous": dataclasses.replace(config, login=None),
        "no security": OpcUaConfig(url=config.url, security=Security.NONE),
        "mode": dataclasses.replace(config, mode=Mode.SIGN),
        "server's certificate": dataclasses.replace(config, server_certificate=folder / "stranger.der"),
    }[case]
    with pytest.raises(DeviceError, match=r"^plc: ") as error:
        open_plc("plc", wrong)
    assert PASSWORD not in str(error.value)


def test_a_node_that_is_not_there_is_named(opcua: OpcUaServer) -> None:
    config = dataclasses.replace(secured(opcua), request_nodes={"serial": "ns=2;s=Nothing"})
    plc = open_plc("plc", config)
    with pytest.raises(DeviceError, match=r"serial .*Nothing.* cannot be read"):
        plc.read()
    plc.close()


def test_mqtt_refuses_a_wrong_password(broker: Mosquitto, folder: Path) -> None:
    login = Login(user=USER, password_file=folder / "wrong")
    config = MqttConfig(broker=dataclasses.replace(broker.config(broker.port), login=login), prefix="test/json")
    with pytest.raises(DeviceError, match="broker refuses"):
        open_plc("plc", config)


@pytest.mark.filterwarnings("ignore:Exception ignored in. <ssl.SSLSocket")  # paho leaves closing to the collector
def test_mqtt_refuses_a_broker_of_another_authority(broker: Mosquitto, folder: Path) -> None:
    stranger = dataclasses.replace(broker.config(broker.port), ca=folder / "stranger.crt")
    with pytest.raises(DeviceError, match=r"^plc: no MQTT broker"):
        open_plc("plc", MqttConfig(broker=stranger, prefix="test/json"))


def test_mqtt_does_not_reach_a_broker_with_tls_in_the_clear(broker: Mosquitto) -> None:
    config = broker.config(broker.port)
    clear = BrokerConfig(host=config.host, port=config.port, clear=True, timeout_s=1.0)
    with pytest.raises(DeviceError, match=r"^plc: "):
        open_plc("plc", MqttConfig(broker=clear, prefix="test/json"))


def test_the_broker_speaks_the_last_will_of_a_station_that_died(broker: Mosquitto) -> None:
    server = MqttServer(broker)
    cable = Proxy(server.port)
    # it dies when the cable is cut, and is not taken for dead before, as where the machine is busy for a second
    patient = dataclasses.replace(broker.config(cable.port), keepalive_s=60, timeout_s=10.0)
    plc = open_plc("plc", MqttConfig(broker=patient, prefix="test/json"))
    open_gate = Answer(valid=True, ok=True, result_id=5, gate_open=True)
    plc.write(open_gate)
    wait_for(lambda: server.heard() == open_gate, "the gate is open")
    cable.cut()
    wait_for(lambda: server.heard() == SAFE, "the last will")
    plc.close()
    cable.close()
    server.close()


def test_no_security_is_nothing_one_gets_by_leaving_it_out(folder: Path) -> None:
    with pytest.raises(OptionError, match="needs certificate"):
        OpcUaConfig(url="opc.tcp://plc:4840")
    login = Login(user=USER, password_file=folder / "password")
    with pytest.raises(OptionError, match="clear"):
        OpcUaConfig(url="opc.tcp://plc:4840", security=Security.NONE, login=login)
    with pytest.raises(OptionError, match="clear = true"):
        BrokerConfig(host="broker")


def test_a_password_that_is_not_there_is_told_before_anything_is_opened(tmp_path: Path) -> None:
    for login in (Login(user="u", password_env="SIGHTLINE_NOT_SET"), Login(user="u", password_file=tmp_path / "no")):
        broker = BrokerConfig(host="127.0.0.1", port=free_port(), clear=True, login=login)
        with pytest.raises(OptionError, match="password"):
            open_plc("plc", MqttConfig(broker=broker, prefix="x"))
