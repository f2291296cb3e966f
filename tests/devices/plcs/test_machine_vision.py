"""The station as a machine vision system that an OPC UA client drives, with the names of OPC 40100-1."""

import asyncio
import socket
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from asyncua import Client, ua
from asyncua.crypto.security_policies import SecurityPolicyBasic256Sha256

from plc_servers import HOST, PASSWORD, PASSWORD_VARIABLE, USER, free_port, wait_for, write_certificate
from sightline.devices.controllers import open_plc
from sightline.devices.credentials import Login
from sightline.devices.event_loop import EventLoop
from sightline.devices.machine_vision import KEPT_RESULTS, Automatic, Changes, State, VisionSystem
from sightline.devices.opcua_machine_vision import DONE, NOT_POSSIBLE, UNKNOWN, VisionServerConfig
from sightline.devices.plc import Answer, Plc
from sightline.errors import DeviceError, OptionError

READY = Answer(ready=True, recipe=4)
WAIT_S = 30.0


def ready() -> VisionSystem:
    system = VisionSystem()
    system.write(READY)
    assert system.select_automatic()
    return system


def test_states_follow_the_methods_and_the_station() -> None:
    system = VisionSystem()
    assert (system.state, system.automatic) == (State.PREOPERATIONAL, Automatic.NONE)
    assert system.select_automatic()
    assert (system.state, system.automatic) == (State.OPERATIONAL, Automatic.INITIALIZED)
    assert not system.select_automatic(), "it is already"
    system.write(READY)
    assert system.automatic == "Ready"
    assert system.start_single_job(7, "A", False)
    assert system.automatic == "SingleExecution"
    system.write(Answer(error=12))
    assert system.state == "Error"
    system.halt()
    assert system.state == "Halted"
    assert not system.read(connected=True).trigger
    system.reset()
    system.write(Answer())
    assert system.state == "Preoperational"


def test_a_job_is_a_request_and_its_result_is_acknowledged() -> None:
    system = ready()
    assert system.start_single_job(7, "A", True)
    request = system.read(connected=True)
    assert (request.trigger, request.part_id, request.serial, request.challenge) == (True, 7, "A", True)
    assert system.write(Answer(taken=True, taken_id=6, recipe=4)) == Changes(), "another part was taken"
    assert system.write(Answer(taken=True, taken_id=7, recipe=4)) == Changes(taken_id=7)
    assert not system.read(connected=True).trigger
    answer = Answer(valid=True, ng=True, result_id=7, recipe=4, error=3)
    result = system.write(answer).result
    assert result is not None
    assert (result.part_id, result.verdict, result.recipe, result.error) == (7, "NG", 4, 3)
    assert system.read(connected=True).acknowledged_id == 7
    assert system.write(answer) == Changes(), "told once"


def test_a_reset_is_up_until_the_station_has_answered_it() -> None:
    system = VisionSystem()
    system.reset()
    system.write(Answer())
    assert system.read(connected=True).reset, "it was not read yet"
    system.write(Answer())
    assert not system.read(connected=True).reset


def test_without_a_client_nothing_is_enabled_and_no_heart_beats() -> None:
    system = ready()
    first = system.read(connected=True).heartbeat
    alone = system.read(connected=False)
    assert (alone.enabled, alone.heartbeat) == (False, first)
    assert system.read(connected=True).heartbeat == first + 1


def test_results_are_kept_in_bounds() -> None:
    system = ready()
    for part in range(1, KEPT_RESULTS + 11):
        system.write(Answer(valid=True, ok=True, result_id=part))
    assert len(system.results) == KEPT_RESULTS
    assert min(system.results) == 11


@pytest.mark.parametrize(("part", "serial"), [(0, ""), (2**32, ""), (7, "ä"), (7, "x" * 33)])
def test_a_job_that_cannot_be_is_refused(part: int, serial: str) -> None:
    with pytest.raises(OptionError):
        ready().start_single_job(part, serial, False)


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> VisionServerConfig:
    folder = tmp_path_factory.mktemp("vision")
    for name, uri in (("station", "urn:sightline:station"), ("client", "urn:client"), ("stranger", "urn:client")):
        write_certificate(folder, name, uri)
    return VisionServerConfig(
        url=f"opc.tcp://{HOST}:{free_port()}",
        certificate=folder / "station.der",
        key=folder / "station.pem",
        clients=(folder / "client.der",),
        login=Login(user=USER, password_env=PASSWORD_VARIABLE),
        recipes={"lid": 4, "cap": 5},
    )


@pytest.fixture(scope="module")
def plc(config: VisionServerConfig) -> Iterator[Plc]:
    plc = open_plc("vision", config)
    yield plc
    plc.close()


@pytest.fixture(scope="module")
def loop() -> Iterator[EventLoop]:
    loop = EventLoop("client")
    yield loop
    loop.close(WAIT_S)


async def connected(config: VisionServerConfig, name: str = "client", password: str = PASSWORD) -> Client:
    assert config.certificate is not None
    folder: Path = config.certificate.parent
    client = Client(config.url, timeout=10)
    client.application_uri = "urn:client"
    client.set_user(USER)
    client.set_password(password)
    await client.set_security(
        SecurityPolicyBasic256Sha256,
        str(folder / f"{name}.der"),
        str(folder / f"{name}.pem"),
        server_certificate=str(config.certificate),
    )
    await client.connect()
    return client


class Events:
    """What the client was told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, Any]] = []

    def event_notification(self, event: Any) -> None:
        self.told.append((event.Message.Text, event))


def test_a_client_inspects_a_part(plc: Plc, config: VisionServerConfig, loop: EventLoop) -> None:
    client = loop.run(connected(config), WAIT_S)
    vision = loop.run(client.nodes.objects.get_child("2:VisionSystem"), WAIT_S)
    machine = loop.run(vision.get_child("2:VisionStateMachine"), WAIT_S)
    automatic = loop.run(machine.get_child("2:AutomaticModeStateMachine"), WAIT_S)
    recipes = loop.run(vision.get_child("2:RecipeManagement"), WAIT_S)
    results = loop.run(vision.get_child("2:ResultManagement"), WAIT_S)
    events = Events()

    async def listen() -> None:
        subscription = await client.create_subscription(20, events)
        types = await client.nodes.base_event_type.get_children()
        names = {str((await node.read_browse_name()).Name): node for node in types}
        await subscription.subscribe_events(vision, [names["ResultReadyEventType"], names["JobStartedEventType"]])

    def call(node: Any, name: str, *arguments: Any) -> Any:
        return loop.run(node.call_method(f"2:{name}", *arguments), WAIT_S)

    def state(node: Any) -> str:
        text: str = loop.run(loop.run(node.get_child("2:CurrentState"), WAIT_S).read_value(), WAIT_S).Text
        return text

    loop.run(listen(), WAIT_S)
    part = (ua.Variant(7, ua.VariantType.UInt32), "A-1", False)
    plc.write(Answer(ready=False))
    assert state(machine) == "Preoperational"
    assert call(automatic, "StartSingleJob", *part) == [0, NOT_POSSIBLE]
    assert call(machine, "SelectModeAutomatic") == DONE
    assert call(recipes, "PrepareRecipe", "nothing") == [False, UNKNOWN]
    assert call(recipes, "PrepareRecipe", "lid") == [False, DONE]
    assert (plc.read().enabled, plc.read().recipe) == (True, 4)
    plc.write(READY)
    assert (state(machine), state(automatic)) == ("Operational", "Ready")
    assert call(automatic, "StartSingleJob", *part) == [7, DONE]
    assert (plc.read().trigger, plc.read().part_id, plc.read().serial) == (True, 7, "A-1")
    assert state(automatic) == "SingleExecution"
    plc.write(Answer(taken=True, taken_id=7, busy=True, recipe=4))
    plc.write(Answer(valid=True, fault=True, result_id=7, recipe=4, error=9))
    assert plc.read().acknowledged_id == 7
    assert call(results, "GetResultById", part[0]) == ["FAULT", 4, 9, DONE]
    wait_for(lambda: any("FAULT" in text for text, _ in events.told), "the event of the result")
    result = next(event for text, event in events.told if "FAULT" in text)
    assert (result.PartId, result.Verdict, result.RecipeId, result.ErrorCode) == (7, "FAULT", 4, 9)
    assert call(machine, "Halt") == DONE
    assert state(machine) == "Halted"
    loop.run(client.disconnect(), WAIT_S)
    wait_for(lambda: not plc.read().enabled, "nobody is connected")


class Cable:
    """Between client and server; once it is cut neither hears of the other, not even that the connection ends."""

    def __init__(self, port: int) -> None:
        self._port, self._cut = port, asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._writers: list[asyncio.StreamWriter] = []

    async def plug_in(self) -> str:
        self._server = await asyncio.start_server(self._join, HOST, 0)
        return f"opc.tcp://{HOST}:{self._server.sockets[0].getsockname()[1]}"

    async def cut(self) -> None:
        self._cut.set()

    async def remove(self) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        for writer in self._writers:
            writer.transport.abort()
        await asyncio.sleep(0.1)

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(HOST, self._port)
        self._writers += [writer, far_writer]
        for source, sink in ((reader, far_writer), (far_reader, writer)):
            self._tasks.append(asyncio.create_task(self._carry(source, sink)))

    async def _carry(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while (data := await source.read(65_536)) and not self._cut.is_set():
            sink.write(data)
        if self._cut.is_set():
            await asyncio.Event().wait()
        sink.close()


def test_a_client_whose_cable_is_cut_enables_nothing_after_its_session_and_may_come_back(
    config: VisionServerConfig, loop: EventLoop
) -> None:
    near = replace(config, url=f"opc.tcp://{HOST}:{free_port()}", session_s=3.0)
    with closing(open_plc("vision", near)) as plc:
        cable = Cable(int(near.url.rsplit(":", 1)[1]))
        far = replace(near, url=loop.run(cable.plug_in(), WAIT_S))
        client = loop.run(connected(far), WAIT_S)
        loop.run(select_automatic(client), WAIT_S)
        enabled_s = time.monotonic()
        while time.monotonic() - enabled_s < 2 * near.session_s:
            assert plc.read().enabled, "its keep-alive holds the session"
            time.sleep(0.1)
        loop.run(cable.cut(), WAIT_S)
        cut_s = time.monotonic()
        wait_for(lambda: not plc.read().enabled, "the session to end")
        assert time.monotonic() - cut_s < 2 * near.session_s
        beat = plc.read().heartbeat
        assert plc.read().heartbeat == beat, "to the station the PLC is lost"
        again = loop.run(connected(near), WAIT_S)
        loop.run(select_automatic(again), WAIT_S)
        wait_for(lambda: plc.read().heartbeat != beat, "the client is back")
        loop.run(again.disconnect(), WAIT_S)
        loop.run(cable.remove(), WAIT_S)
        with suppress(ua.UaError, ConnectionError, asyncio.TimeoutError, DeviceError):
            loop.run(client.disconnect(), WAIT_S)


def test_a_connection_without_a_session_is_no_client(plc: Plc, config: VisionServerConfig) -> None:
    beat = plc.read().heartbeat
    port = int(config.url.rsplit(":", 1)[1])
    with socket.create_connection((HOST, port)):
        for _ in range(20):
            time.sleep(0.01)
            assert plc.read().heartbeat == beat


async def select_automatic(client: Client) -> None:
    machine = await client.nodes.objects.get_child(["2:VisionSystem", "2:VisionStateMachine"])
    await machine.call_method("2:SelectModeAutomatic")


@pytest.mark.parametrize(("name", "password"), [("client", "wrong"), ("stranger", PASSWORD)])
def test_strangers_stay_outside(
    plc: Plc, config: VisionServerConfig, loop: EventLoop, name: str, password: str
) -> None:
    with pytest.raises((ua.UaError, ConnectionError, asyncio.TimeoutError, DeviceError)):
        loop.run(connected(config, name, password), WAIT_S)


def test_nobody_comes_without_security(plc: Plc, config: VisionServerConfig, loop: EventLoop) -> None:
    async def come() -> None:
        await Client(config.url, timeout=10).connect()

    with pytest.raises((ua.UaError, ConnectionError, asyncio.TimeoutError, DeviceError)):
        loop.run(come(), WAIT_S)
