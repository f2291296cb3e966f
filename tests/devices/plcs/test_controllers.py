"""A recipe's table becomes a config, or an error that names the place."""

import dataclasses
from pathlib import Path

import pytest
from tests.line.deadline import until

from sightline.devices.controllers import PROTOCOLS, open_plc, plc_config
from sightline.devices.credentials import Login
from sightline.devices.modbus_plc import ModbusConfig
from sightline.devices.mqtt_broker import BrokerConfig
from sightline.devices.mqtt_plc import MqttConfig
from sightline.devices.opcua_machine_vision import VisionServerConfig
from sightline.devices.opcua_plc import Mode, OpcUaConfig
from sightline.errors import OptionError

MODBUS = {"kind": "modbus", "host": "plc"}
BROKER = {"host": "broker", "ca": "ca.crt", "login": {"user": "station", "password_env": "PLC_PASSWORD"}}
FILES = {"certificate": "a.der", "key": "a.pem"}


def test_tables_become_configs() -> None:
    assert plc_config(MODBUS | {"timeout_s": 1}, "recipe") == ModbusConfig(host="plc", timeout_s=1.0)
    login = Login(user="station", password_env="PLC_PASSWORD")
    broker = BrokerConfig(host="broker", ca=Path("ca.crt"), login=login)
    assert plc_config({"kind": "mqtt", "prefix": "a", "broker": BROKER}, "recipe") == MqttConfig(
        broker=broker, prefix="a"
    )
    opcua = {"kind": "opcua", "url": "opc.tcp://plc", "mode": "Sign", "server_certificate": "b.der", **FILES}
    config = plc_config(opcua | {"answer_nodes": {"ok": "ns=3;i=5"}}, "recipe")
    assert isinstance(config, OpcUaConfig)
    assert (config.mode, config.answer_nodes, config.key) == (Mode.SIGN, {"ok": "ns=3;i=5"}, Path("a.pem"))
    vision = plc_config(
        {"kind": "opcua-machine-vision", "clients": ["c.der"], "recipes": {"lid": 4}, **FILES}, "recipe"
    )
    assert isinstance(vision, VisionServerConfig)
    assert (vision.clients, vision.recipes) == ((Path("c.der"),), {"lid": 4})


@pytest.mark.parametrize(
    ("table", "message"),
    [
        pytest.param({}, r"plc\.kind: is None; choose one of modbus, s7", id="no kind"),
        pytest.param({"kind": ["s7"]}, r"plc\.kind: is \['s7'\]", id="kind of another type"),
        pytest.param({"kind": "modbus"}, r"plc\.host: is missing", id="missing"),
        pytest.param(MODBUS | {"prot": 502}, r"plc\.prot: there is no such key; .*port", id="misspelt"),
        pytest.param(MODBUS | {"port": "502"}, r"plc\.port: is '502'; expected a whole number", id="type"),
        pytest.param(MODBUS | {"port": True}, r"plc\.port: is True", id="a bit is no number"),
        pytest.param(MODBUS | {"unit": 256}, r"plc: unit 256", id="range"),
        pytest.param(MODBUS | {"timeout_s": float("nan")}, r"plc: .*timeout_s nan", id="not a number"),
        pytest.param(MODBUS | {"timeout_s": 2.5}, r"plc\.timeout_s: is 2\.5; give 2 s at most", id="too patient"),
        pytest.param(
            {"kind": "mqtt", "prefix": "a", "broker": BROKER, "stale_s": 3}, r"plc\.stale_s: is 3; give 2 s", id="stale"
        ),
        pytest.param(
            {"kind": "mqtt", "prefix": "a", "broker": BROKER | {"timeout_s": 60}},
            r"plc\.broker\.timeout_s: is 60; give 2 s",
            id="too patient with the broker",
        ),
        pytest.param(MODBUS | {"answer_address": 24}, r"plc: .*apart", id="blocks overlap"),
        pytest.param({"kind": "s7", "host": "plc", "answer_byte": 51}, r"plc: .*even byte", id="odd byte"),
        pytest.param(
            {"kind": "opcua", "url": "opc.tcp://x", "mode": "None"}, r"plc\.mode: .*Sign, SignAndEncrypt", id="choice"
        ),
        pytest.param({"kind": "mqtt", "prefix": "a", "broker": {"host": 1}}, r"plc\.broker\.host: is 1", id="inner"),
        pytest.param(
            {"kind": "mqtt", "prefix": "a", "broker": 1}, r"plc\.broker: is 1; expected a table", id="no table"
        ),
        pytest.param({"kind": "mqtt", "prefix": "a/#", "broker": BROKER}, r"plc: prefix", id="topic"),
        pytest.param(
            {"kind": "mqtt", "prefix": "a", "broker": BROKER | {"login": {"user": "u", "password": "x"}}},
            r"plc\.broker\.login\.password: there is no such key",
            id="a password in the recipe",
        ),
        pytest.param(
            {"kind": "mqtt", "prefix": "a", "broker": BROKER | {"login": {"user": "u"}}},
            r"plc\.broker\.login: .*password_env and password_file",
            id="no password",
        ),
        pytest.param(
            {"kind": "opcua-machine-vision", "clients": [1], **FILES}, r"plc\.clients\[0\]: is 1", id="in a list"
        ),
    ],
)
def test_what_cannot_be_is_told_with_its_place(table: dict[str, object], message: str) -> None:
    with pytest.raises(OptionError, match=f"^recipe: {message}"):
        plc_config(table, "recipe: plc")


def test_a_simulated_plc_runs_by_itself() -> None:
    table = {"kind": "sim", "recipe": 7, "belt": {"speed_mm_s": 400, "pitch_mm": [100, 120]}}
    plc = open_plc("plc", plc_config(table, "recipe"))
    until(lambda: plc.read().heartbeat > 0)
    request = plc.read()
    assert (request.enabled, request.recipe) == (True, 7)
    plc.close()


def test_every_config_is_one_kinds() -> None:
    configs = [protocol.config for protocol in PROTOCOLS.values()]
    assert len(set(configs)) == len(configs)
    assert all(dataclasses.is_dataclass(config) for config in configs)
