"""The station as an OPC UA server with the face of a machine vision system, after OPC 40100-1:2019.

Built by hand, not from the companion specification's NodeSet: in a namespace of its own, without its type definitions,
so that a client that looks for those does not find them. The same as there are the names and the meaning of the objects
VisionSystem, VisionStateMachine, AutomaticModeStateMachine, RecipeManagement and ResultManagement, of their states and
of the methods and events below. Not conforming: arguments are plain numbers and text in place of the structures
(PartIdDataType and so on); states have no transitions or step models; the verdict stands in ResultReadyEventType;
no continuous execution, no transfer of recipes, configurations or results, no safety states, no conditions.
"""

import hmac
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from sightline.devices.connection import Connection
from sightline.devices.credentials import Login
from sightline.devices.event_loop import EventLoop
from sightline.devices.machine_vision import Automatic, Changes, State, VisionSystem
from sightline.devices.opcua_plc import Security
from sightline.devices.plc import LARGEST_RECIPE, Answer, Plc, Request
from sightline.errors import DeviceError, DeviceLost, OptionError

if TYPE_CHECKING:
    from asyncua import Node, Server

NAMESPACE = "urn:sightline:machine-vision"
STARTING_S = 30.0  # the standard's own nodes are made first
EVENTS = {
    "StateChangedEventType": {"FromState": "String", "ToState": "String"},
    "ReadyEventType": {"RecipeId": "UInt16"},
    "JobStartedEventType": {"PartId": "UInt32"},
    "RecipePreparedEventType": {"RecipeId": "UInt16"},
    "ResultReadyEventType": {"PartId": "UInt32", "Verdict": "String", "RecipeId": "UInt16", "ErrorCode": "UInt16"},
}
DONE, NOT_POSSIBLE, UNKNOWN = 0, 1, 2  # the methods' `error`


@dataclass(frozen=True, slots=True, kw_only=True)
class VisionServerConfig:
    """Where the station listens, who may come, and what the recipes are called."""

    url: str = "opc.tcp://0.0.0.0:4840"
    security: Security = Security.BASIC256SHA256  # always signed and encrypted
    certificate: Path | None = None  # the station's, with its key, where security is not none
    key: Path | None = None  # .pem
    clients: tuple[Path, ...] = ()  # certificates of the clients that may come, .der or .pem
    login: Login | None = None  # that they give; None: none is asked for
    application_uri: str = "urn:sightline:station"  # must be the one in the station's certificate
    recipes: Mapping[str, int] = field(default_factory=dict)  # external id -> number of the recipe
    timeout_s: float = 1.0
    session_s: float = 10.0  # a client that says nothing for so long is gone; its keep-alive obeys what it is told

    def __post_init__(self) -> None:
        secure = self.security is not Security.NONE
        if not self.url.startswith("opc.tcp://") or not 0 < self.timeout_s <= 10:
            raise OptionError(f"url {self.url!r}, timeout_s {self.timeout_s}: begin with opc.tcp://; at most 10 s.")
        if not 1 <= self.session_s <= 60:
            raise OptionError(f"session_s is {self.session_s}; give 1 to 60 s.")
        if secure and not (self.certificate and self.key and self.clients):
            raise OptionError(f"security {self.security} needs certificate, key and at least one of clients.")
        if not secure and (self.certificate or self.key or self.clients or self.login):
            raise OptionError(
                'security is "none": certificates would not be used, and a password be sent in the clear.'
            )
        if wrong := [name for name, number in self.recipes.items() if not 0 < number <= LARGEST_RECIPE]:
            raise OptionError(f"recipe {wrong[0]!r}: its number is 1 to {LARGEST_RECIPE}.")


def open_vision_server(name: str, config: VisionServerConfig) -> Plc:
    """Listen for clients.

    Raises:
        DeviceError: that port cannot be listened on. DeviceTimeout: the server did not start.
        OptionError: asyncua is not installed, a file cannot be used, or there is no password.
    """
    try:
        import asyncua  # noqa: F401 - before a thread is made for it
    except ImportError as error:
        raise OptionError("OPC UA needs asyncua. Install it with: pip install 'sightline[station]'") from error
    password = config.login.password() if config.login else ""
    loop = EventLoop(name)
    link = _VisionLink(name, config, loop)
    try:
        loop.run(link.start(password), STARTING_S)
    except (DeviceError, OptionError):
        link.release()
        raise
    except (OSError, ValueError, TypeError) as error:
        link.release()
        raise DeviceError(name, f"cannot serve {config.url} ({error}). Check address and certificates.") from error
    return Connection(name, link)


class _Users:
    """Asyncua's user manager.

    It knows the certificate that the channel is secured with. Asyncua's certificate validator sees only the one that a
    client says it has, and none where the client says nothing.
    """

    def __init__(self, login: Login | None, password: str) -> None:
        self._login = login
        self._password = password
        self.certificates: set[bytes] | None = None  # DER, of those who may come; None: without security, anybody

    def get_user(
        self, _server: Any, username: Any = None, password: Any = None, certificate: bytes | None = None
    ) -> Any:
        from asyncua.crypto.permission_rules import User, UserRole

        if self.certificates is not None and certificate not in self.certificates:
            return None
        if self._login is not None:
            given = f"{username}\0{password}".encode()
            if not hmac.compare_digest(given, f"{self._login.user}\0{self._password}".encode()):
                return None
        return User(role=UserRole.User)


class _VisionLink:
    def __init__(self, name: str, config: VisionServerConfig, loop: EventLoop) -> None:
        self._name = name
        self._config = config
        self._loop = loop
        self._lock = Lock()  # the client's methods run in the loop's thread
        self._system = VisionSystem()
        self._shown: tuple[State, Automatic] | None = None
        self._server: Server | None = None
        self._variables: tuple[Node, Node] | None = None
        self._events: dict[str, Any] = {}

    def read(self) -> Request:
        with self._lock:
            return self._system.read(connected=self._has_client())

    def write(self, answer: Answer) -> None:
        self._serving()
        with self._lock:
            changes = self._system.write(answer)
            unchanged = changes == Changes() and self._shown == (self._system.state, self._system.automatic)
        if not unchanged:
            self._loop.run(self._tell(changes), self._config.timeout_s)

    def release(self) -> None:
        with suppress(DeviceError, OSError, RuntimeError, AttributeError):  # where it was not started wholly
            if self._server is not None:
                self._loop.run(self._server.stop(), 5 * self._config.timeout_s)
        self._loop.close(self._config.timeout_s)

    def _has_client(self) -> bool:
        """Whether one has a session that lives; a mere connection may be a stranger's, or its cable have been cut."""
        living = False
        for client in tuple(self._serving().clients):
            session = client.processor.session
            if session is not None and session.is_activated():
                living = True
            elif session is not None and session.state.name == "Closed":
                self._loop.later(client.transport.abort)  # nobody will say good-bye on it
        return living

    def _serving(self) -> Any:
        if self._server is None or self._server.bserver is None:
            raise DeviceLost(self._name, "the server does not run.")
        return self._server.bserver

    async def start(self, password: str) -> None:
        from asyncua import Server, ua
        from asyncua.crypto import uacrypto

        users = _Users(self._config.login, password)
        server = Server(user_manager=users)  # type: ignore[arg-type]
        self._server = server
        await server.init()
        server.iserver.min_session_timeout_ms = server.iserver.max_session_timeout_ms = self._config.session_s * 1e3
        server.set_endpoint(self._config.url)
        server.set_server_name("Sightline")
        await server.set_application_uri(self._config.application_uri)
        server.set_identity_tokens([ua.UserNameIdentityToken if self._config.login else ua.AnonymousIdentityToken])
        if self._config.security is Security.NONE:
            server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
        else:
            server.set_security_policy([ua.SecurityPolicyType[f"{self._config.security}_SignAndEncrypt"]])
            await server.load_certificate(str(self._config.certificate))
            await server.load_private_key(str(self._config.key))
            users.certificates = {
                uacrypto.der_from_x509(await uacrypto.load_certificate(str(path))) for path in self._config.clients
            }
        await self._build(server)
        await server.start()

    async def _build(self, server: "Server") -> None:
        from asyncua import ua

        space = await server.register_namespace(NAMESPACE)
        vision = await server.nodes.objects.add_object(space, "VisionSystem")
        machine = await vision.add_object(space, "VisionStateMachine")
        automatic = await machine.add_object(space, "AutomaticModeStateMachine")
        self._variables = (await _states(machine, space, State), await _states(automatic, space, Automatic))
        recipes, results = [await vision.add_object(space, f"{name}Management") for name in ("Recipe", "Result")]
        names = ", ".join(self._config.recipes)
        await recipes.add_variable(space, "Recipes", names, ua.VariantType.String)
        number, short, text, bit = (ua.VariantType[name] for name in ("UInt32", "UInt16", "String", "Boolean"))
        status = ua.VariantType.Int32
        for parent, name, method, given, returned in (
            (machine, "Halt", self._halt, [], [status]),
            (machine, "Reset", self._reset, [], [status]),
            (machine, "SelectModeAutomatic", self._select, [], [status]),
            (automatic, "StartSingleJob", self._start_job, [number, text, bit], [number, status]),
            (automatic, "Stop", self._stop, [], [status]),
            (recipes, "PrepareRecipe", self._prepare, [text], [bit, status]),
            (results, "GetResultById", self._result, [number], [text, short, short, status]),
        ):
            await parent.add_method(space, name, method, given, returned)
        for name, properties in EVENTS.items():
            types = [(field, ua.VariantType[kind]) for field, kind in properties.items()]
            event = await server.create_custom_event_type(space, name, ua.ObjectIds.BaseEventType, types)
            self._events[name] = await server.get_event_generator(event, vision.nodeid)

    async def _tell(self, changes: Changes) -> None:
        """Show the states and send the events, a result before the state that follows it."""
        if changes.taken_id is not None:
            await self._send("JobStartedEventType", PartId=changes.taken_id)
        if changes.recipe is not None:
            await self._send("RecipePreparedEventType", RecipeId=changes.recipe)
        if result := changes.result:
            await self._send(
                "ResultReadyEventType",
                PartId=result.part_id,
                Verdict=result.verdict,
                RecipeId=result.recipe,
                ErrorCode=result.error,
            )
        await self._show()

    async def _show(self) -> None:
        from asyncua import ua

        with self._lock:
            states = (self._system.state, self._system.automatic)
            before, self._shown = self._shown, states
        if states == before:
            return
        assert self._variables is not None, "started"
        for variable, state in zip(self._variables, states, strict=True):
            await variable.write_value(ua.LocalizedText(state))
        old, new = ("/".join(filter(None, pair or ())) for pair in (before, states))
        await self._send("StateChangedEventType", FromState=old, ToState=new)
        if states[1] is Automatic.READY:
            await self._send("ReadyEventType")

    async def _send(self, kind: str, **fields: int | str) -> None:
        generator = self._events[kind]
        for name, value in fields.items():
            setattr(generator.event, name, value)
        await generator.trigger(message=" ".join(str(value) for value in fields.values()))

    async def _halt(self, _parent: Any) -> Any:
        return await self._done(self._system.halt)

    async def _reset(self, _parent: Any) -> Any:
        return await self._done(self._system.reset)

    async def _select(self, _parent: Any) -> Any:
        return await self._done(self._system.select_automatic)

    async def _stop(self, _parent: Any) -> Any:
        return await self._done(self._system.stop)

    async def _done(self, change: Any) -> Any:
        with self._lock:
            possible = change() is not False
        await self._show()
        return [_int32(DONE if possible else NOT_POSSIBLE)]

    async def _start_job(self, _parent: Any, part: Any, serial: Any, challenge: Any) -> Any:
        from asyncua import ua

        with self._lock:
            try:
                started = self._system.start_single_job(part.Value, serial.Value or "", challenge.Value)
            except (OptionError, TypeError, AttributeError):  # a client may send anything
                return ua.StatusCode(ua.UInt32(ua.StatusCodes.BadInvalidArgument))
        await self._show()
        job = part.Value if started else 0
        return [ua.Variant(job, ua.VariantType.UInt32), _int32(DONE if started else NOT_POSSIBLE)]

    async def _prepare(self, _parent: Any, recipe: Any) -> Any:
        from asyncua import ua

        number = self._config.recipes.get(recipe.Value) if isinstance(recipe.Value, str) else None
        prepared = False
        if number is not None:
            with self._lock:
                prepared = self._system.prepare_recipe(number)
        return [ua.Variant(prepared, ua.VariantType.Boolean), _int32(UNKNOWN if number is None else DONE)]

    async def _result(self, _parent: Any, part: Any) -> Any:
        from asyncua import ua

        with self._lock:
            result = self._system.results.get(part.Value) if isinstance(part.Value, int) else None
        verdict = ua.Variant(result.verdict if result else "", ua.VariantType.String)
        numbers = (result.recipe, result.error) if result else (0, 0)
        shorts = [ua.Variant(number, ua.VariantType.UInt16) for number in numbers]
        return [verdict, *shorts, _int32(DONE if result else UNKNOWN)]


def _int32(value: int) -> Any:
    from asyncua import ua

    return ua.Variant(value, ua.VariantType.Int32)


async def _states(machine: "Node", space: int, states: type[State] | type[Automatic]) -> "Node":
    """The machine's states as objects, and the variable that says which it is in."""
    from asyncua import ua

    for number, state in enumerate(filter(None, states), 1):
        place = await machine.add_object(space, state.value, ua.ObjectIds.StateType)
        for child in await place.get_children():
            if (await child.read_browse_name()).Name == "StateNumber":
                await child.write_value(ua.Variant(number, ua.VariantType.UInt32))
    return await machine.add_variable(space, "CurrentState", ua.LocalizedText(""))
