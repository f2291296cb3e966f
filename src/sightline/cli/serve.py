"""`sightline serve`: the plant server, and what is done beside it."""

import ipaddress
import json
import logging
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sightline.cli.heap import keep_together
from sightline.cli.log_lines import log_to_stderr
from sightline.cli.options import PLACE
from sightline.errors import OptionError, StoreError
from sightline.line.systemd import Notifier
from sightline.line.toml_table import Given, Key

if TYPE_CHECKING:
    from sightline.service.settings import Settings
    from sightline.store.audit import Checked
    from sightline.store.database import Database

DAMAGED = 1
EXTRA = {"alembic", "argon2", "fastapi", "fsspec", "httptools", "multipart", "prometheus_client", "sqlalchemy"}
EXTRA |= {"anyio", "starlette", "uvicorn", "pydantic", "nicegui"}
_FORM = "NAME=FILE"
settings_option = click.option("--settings", "path", type=PLACE, metavar="FILE", help="The server's settings (TOML).")


class Running(click.Group):
    """`sightline serve SETTINGS` is `sightline serve run SETTINGS`, and `sightline serve` is `sightline serve run`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not any(arg in ("-h", "--help") for arg in args[:1]) and (not args or args[0] not in self.commands):
            args = ["run", *args]
        return super().parse_args(ctx, args)


@click.group("serve", cls=Running)
def serve_group() -> None:
    """Run the plant server: what stations report, and what people and programs ask.

    \b
    sightline serve [SETTINGS]            run it (the same as `sightline serve run`)
    sightline serve --dev --model A=FILE  without login, for this machine only
    sightline serve setup-link            make the first administrator
    sightline serve users                 accounts
    sightline serve audit                 prove or export who changed what
    sightline serve backup FILE           copy the database
    sightline serve restore FILE          put such a copy back
    sightline serve lifecycle --for s3    rules for the buckets of the pictures
    sightline serve settings              all settings with their defaults
    """


@serve_group.command("run")
@click.argument("settings", type=PLACE, required=False)
@click.option("--host", metavar="ADDRESS", help="To listen at.  [default: from the settings, or 127.0.0.1]")
@click.option("--port", type=click.IntRange(0, 65_535), metavar="NUMBER", help="0 takes a free one.  [default: 8000]")
@click.option(
    "--folder", type=PLACE, metavar="FOLDER", help="Where all is kept.  [default: from the settings, or plant]"
)
@click.option("--certificate", type=PLACE, metavar="FILE", help="For TLS, PEM.")
@click.option("--private-key", type=PLACE, metavar="FILE", help="Of the certificate, PEM.")
@click.option("--dev", is_flag=True, help="No login; only this machine can reach it; what is kept is thrown away.")
@click.option(
    "--container",
    is_flag=True,
    help="Be a container of Vertex AI or Cloud Run: AIP_* and PORT say where; predicts for whoever reaches it.",
)
@click.option(
    "--model",
    "models",
    multiple=True,
    metavar=_FORM,
    help="Load a model at once; with --dev or --container, repeatable.",
)
@click.option("--json-log", is_flag=True, help="Log one JSON object per line.")
def run_command(
    settings: Path | None,
    host: str | None,
    port: int | None,
    folder: Path | None,
    certificate: Path | None,
    private_key: Path | None,
    dev: bool,
    container: bool,
    models: tuple[str, ...],
    json_log: bool,
) -> None:
    """Run the server with SETTINGS.

    Told to stop, by SIGTERM or Ctrl-C, it answers the requests in hand. The log goes to standard error, and when
    requests are taken, a line with the address. The first start prints a link that makes the first administrator.
    """
    given: dict[tuple[str, str], object] = {
        ("server", "host"): host,
        ("server", "port"): port,
        ("server", "certificate"): _absolute(certificate),
        ("server", "private_key"): _absolute(private_key),
        ("store", "folder"): _absolute(folder),
    }
    named = dict(_named(text) for text in models)
    if dev and container:
        raise click.UsageError("--dev listens to this machine only, --container to all; give one of them.")
    if models and not (dev or container):
        raise click.UsageError("--model goes with --dev or --container; a plant's models are uploaded.")
    keep_together()
    handler = log_to_stderr(as_json=json_log)
    try:
        if container:
            _contain(given)
        with _dev_folder(given, temporary=dev or container):
            options: dict[Key, Given] = {
                key: Given(place=f"--{key[1].replace('_', '-')}", value=value)
                for key, value in given.items()
                if value is not None
            }
            found = _settings(settings, options)
            if dev:
                _refuse_others(found.server.host)
            _run(found, named, dev=dev, container=container)
    finally:
        logging.root.removeHandler(handler)


def _contain(given: dict[tuple[str, str], object]) -> None:
    """Listen where the platform says, unless an option says otherwise."""
    with _server_installed():
        from sightline.service.protocols.vertex import container_of

    place = container_of(os.environ)
    given["server", "host"] = given["server", "host"] or "0.0.0.0"
    if given["server", "port"] is None:
        given["server", "port"] = place.port


def _run(settings: "Settings", models: dict[str, Path], *, dev: bool, container: bool) -> None:
    with _server_installed():
        from sightline.console.mount import mount
        from sightline.service.app import create_app
        from sightline.service.listening import serve
        from sightline.service.opening import open_plant
        from sightline.service.protocols.vertex import container_of

    # opened before the port is: what is wrong with them is then told in one line
    with open_plant(settings, models) as plant, closing(Notifier(os.environ)) as systemd:
        place = container_of(os.environ) if container else None
        app = create_app(settings, lambda _: nullcontext(plant), open_to_all=dev, container=place)
        if not container:
            mount(app)

        def ready(address: str) -> None:
            if not (dev or container):
                _tell_setup_link(plant.database, settings, address)
            systemd.ready()
            click.echo(f"sightline: serving at {address}", err=True)

        serve(app, settings.server, ready)
        systemd.stopping()


def _named(text: str) -> tuple[str, Path]:
    name, equals, file = text.partition("=")
    if not (name and equals and file):
        raise click.UsageError(f"--model {text!r}: write {_FORM}.")
    return name, Path(file)


@contextmanager
def _dev_folder(given: dict[tuple[str, str], object], *, temporary: bool) -> Iterator[None]:
    """A folder that vanishes at the end, where none is named."""
    if not temporary or given["store", "folder"] is not None:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="sightline-") as folder:
        given["store", "folder"] = folder
        yield


def _refuse_others(host: str) -> None:
    try:
        local = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        local = False
    if not local:
        raise OptionError(f"--dev with host {host}: has no login, so it listens at 127.0.0.1 only; leave --dev out.")


@serve_group.command("setup-link")
@settings_option
def setup_link_command(path: Path | None) -> None:
    """Print a link that makes the first administrator.

    It works once, and for a day unless the settings say otherwise; earlier ones no longer do.
    """
    settings = _settings(path, {})
    server = settings.server
    scheme = "https" if server.certificate else "http"
    with _opened(settings) as database:
        if not _tell_setup_link(database, settings, f"{scheme}://{server.host}:{server.port}"):
            raise OptionError("set-up link: there is an administrator already, who can make others.")


def _tell_setup_link(database: "Database", settings: "Settings", address: str) -> bool:
    """Whether there was one to tell, as there is no administrator yet."""
    from sightline.service.rights import Role
    from sightline.store.users import open_setup

    valid_s = settings.access.setup_hours * 3600
    token = open_setup(database, administrator=Role.ADMINISTRATOR, now_s=time.time(), valid_s=valid_s)
    if token is not None:
        click.echo(f"sightline: make the first administrator at {address}/setup#{token}", err=True)
    return token is not None


@serve_group.group("users")
def users_group() -> None:
    """List accounts, make one, or give one another password."""


@users_group.command("list")
@settings_option
def users_list_command(path: Path | None) -> None:
    """List all accounts."""
    with _opened(_settings(path, {})) as database:
        from sightline.store.users import accounts

        last = ""
        while page := accounts(database, after=last):
            for found in page:
                click.echo(f"{found.name}\t{found.role}\t{'active' if found.active else 'locked'}")
            last = page[-1].name


@users_group.command("add")
@click.argument("name")
@click.option("--role", required=True, metavar="ROLE", help="operator, quality engineer or administrator.")
@click.password_option(help="Asked for where it is left out.")
@settings_option
def users_add_command(name: str, role: str, password: str, path: Path | None) -> None:
    """Make an account called NAME."""
    with _opened(_settings(path, {})) as database:
        from sightline.service.rights import Role
        from sightline.store.users import add

        if role not in tuple(Role):
            raise OptionError(f"--role {role}: there are {', '.join(Role)}.")
        add(database, name=name, role=role, password=password, by="command line", now_s=time.time())
    click.echo(f"{name} may log in as {role}")


@users_group.command("password")
@click.argument("name")
@click.password_option(help="Asked for where it is left out.")
@settings_option
def users_password_command(name: str, password: str, path: Path | None) -> None:
    """Give NAME another password, and the right to log in where it was locked."""
    with _opened(_settings(path, {})) as database:
        from sightline.service.rights import Role
        from sightline.store.users import Change, change

        change(
            database, name, Change(password=password, active=True), by="command line", administrator=Role.ADMINISTRATOR
        )
    click.echo(f"{name} has another password")


@serve_group.group("audit")
def audit_group() -> None:
    """Prove who changed what, or export it."""


@audit_group.command("verify")
@click.option("--file", type=PLACE, metavar="FILE", help="An export, looked through without a database.")
@click.option("--against", type=PLACE, metavar="FILE", help="An earlier export that the trail must begin with.")
@settings_option
def audit_verify_command(file: Path | None, against: Path | None, path: Path | None) -> int:
    """Prove that no row of the audit trail was changed, taken out or put in.

    Somebody who can write to the database can make a new trail; exports kept elsewhere find that, with --against.

    Exit status: 0 nothing was, 1 something was.
    """
    with _server_installed():
        from sightline.store.audit import check_export, verify

    if file is not None:
        with _read(file) as lines:
            return _told(str(file), check_export(lines))
    with _opened(_settings(path, {})) as database:
        if against is None:
            return _told("audit trail", verify(database))
        with _read(against) as lines:
            return _told("audit trail", verify(database, lines))


@audit_group.command("export")
@click.argument("file", type=PLACE)
@settings_option
def audit_export_command(file: Path, path: Path | None) -> int:
    """Write the audit trail to FILE, as lines of JSON that prove themselves."""
    if file.exists():
        raise StoreError(f"{file}: is there already; an export is never written over.")
    unfinished = file.with_name(f".{file.name}.partial")
    with _opened(_settings(path, {})) as database:
        from sightline.store.audit import export

        try:
            with unfinished.open("w", encoding="ascii", newline="\n") as written:
                checked = export(database, written)
            unfinished.replace(file)
        except OSError as error:
            raise StoreError(f"{file}: cannot be written ({error.strerror}). Choose another place.") from error
        finally:
            unfinished.unlink(missing_ok=True)
    return _told(str(file), checked)


@serve_group.command("backup")
@click.argument("file", type=PLACE)
@settings_option
def backup_command(file: Path, path: Path | None) -> None:
    """Copy the database, which may be in use, into FILE.

    Pictures and model files lie beside it in the folder of the settings, never change, and are copied by any means,
    after the database. For PostgreSQL, take pg_dump.
    """
    with _opened(_settings(path, {})) as database:
        from sightline.store.backup import back_up

        back_up(database, file)
    click.echo(f"{file}: holds the database")


@serve_group.command("restore")
@click.argument("file", type=PLACE)
@click.option("--to", "target", type=PLACE, metavar="FILE", help="Another place.  [default: the settings' database]")
@click.option("--replace", is_flag=True, help="The database that is there may go.")
@settings_option
def restore_command(file: Path, target: Path | None, replace: bool, path: Path | None) -> None:
    """Make the database of the backup in FILE, while no server runs on it.

    The backup is read through first; one that is damaged, or is no plant's, changes nothing. Pictures and model files
    are put back by any means, before the server starts. For PostgreSQL, take pg_restore.
    """
    with _server_installed():
        from sightline.store.backup import file_of, restore

    place = target or file_of(_settings(path, {}).store.url)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"{place.parent}: cannot be made ({error.strerror}). Choose another place.") from error
    restore(file, place, replace=replace)
    click.echo(f"{place}: holds the database of {file}")


@serve_group.command("lifecycle")
@click.option("--for", "cloud", required=True, type=click.Choice(["s3", "gcs"]), help="Whose rules.")
@click.option("--bucket", metavar="NAME", help="Which bucket, where the tiers lie in several.")
@settings_option
def lifecycle_command(cloud: str, bucket: str | None, path: Path | None) -> None:
    """Print the rules of a bucket as JSON, made from how long the plant keeps pictures.

    \b
    s3:  aws s3api put-bucket-lifecycle-configuration --bucket NAME --lifecycle-configuration file://FILE
    gcs: gcloud storage buckets update gs://NAME --lifecycle-file FILE
    """
    with _server_installed():
        from sightline.store.lifecycle import bucket_of, gcs_lifecycle, s3_lifecycle
        from sightline.store.retention import Retention, Tier, read_retention

    store = _settings(path, {}).store
    addresses = {Tier(name): address for name, address in store.picture_shelves.items()}
    retention = read_retention(store.retention) if store.retention else Retention()
    rules = s3_lifecycle if cloud == "s3" else gcs_lifecycle
    click.echo(json.dumps(rules(retention, addresses, bucket or bucket_of(addresses, cloud)), indent=2))


@serve_group.command("settings")
def settings_command() -> None:
    """Print a file with every setting at its default, explained."""
    from sightline.service.settings import example

    click.echo(example(), nl=False)


def _told(what: str, checked: "Checked") -> int:
    if not checked.number:
        click.echo(f"{what}: whole, {checked.rows} rows, the last with digest {checked.digest}")
        return 0
    click.echo(f"{what}: row {checked.number} {checked.damage}")
    return DAMAGED


@contextmanager
def _read(file: Path) -> Iterator[Iterator[str]]:
    try:
        with file.open(encoding="utf-8", errors="replace") as lines:
            yield lines
    except OSError as error:
        raise StoreError(f"{file}: cannot be read ({error.strerror}). Check the path.") from error


def _settings(path: Path | None, options: dict[Key, Given]) -> "Settings":
    from sightline.service.settings import read

    return read(path, os.environ, options)


def _absolute(path: Path | None) -> str | None:
    return None if path is None else str(path.absolute())


@contextmanager
def _opened(settings: "Settings") -> "Iterator[Database]":
    with _server_installed():
        from sightline.service.opening import open_database
    with open_database(settings) as database:
        yield database


@contextmanager
def _server_installed() -> Iterator[None]:
    """Says how to install what is missing, where that is all that is the matter."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] not in EXTRA:
            raise
        raise OptionError(f"{error.name} is missing. Install it with: pip install 'sightline[server]'") from error
