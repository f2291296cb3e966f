"""The `sightline` command."""

import sys

import click

from sightline.cli.bench import bench_command
from sightline.cli.calibrate import calibrate_command
from sightline.cli.data import data
from sightline.cli.demo import demo_command
from sightline.cli.evaluate import evaluate_command
from sightline.cli.export import export_command
from sightline.cli.info import info_command
from sightline.cli.inspect import inspect_command
from sightline.cli.train import train_command
from sightline.errors import InspectionError

DONE, FAILED, WRONG_USAGE, REJECTED = 0, 1, 2, 3
INTERRUPTED = 130  # 128 + SIGINT, as shells have it


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(None, "-V", "--version", package_name="sightline", message="sightline %(version)s")
def cli() -> None:
    """Inspect parts with cameras: learn from good pictures, find what is not good, show where and why.

    \b
    A first session:
      sightline train good_parts/ -o part.sight       learn from a folder of good pictures
      sightline inspect part.sight new/*.png          judge new ones
      sightline evaluate part.sight tests/ --report report.html

    Exit status: 0 done, 1 an error told in one line, 2 wrong usage; `inspect --fail-on-reject` exits 3 on a reject.
    """


for _command in (
    demo_command,
    train_command,
    inspect_command,
    evaluate_command,
    calibrate_command,
    bench_command,
    export_command,
    info_command,
    data,
):
    cli.add_command(_command)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit; what we raise on purpose becomes one line on standard error."""
    sys.exit(run(arguments))


def run(arguments: list[str] | None = None) -> int:
    """Run one command line and return its exit status."""
    try:
        status = cli.main(arguments, prog_name="sightline", standalone_mode=False)
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except InspectionError as error:
        _tell(f"error: {error}")
        return FAILED
    except (KeyboardInterrupt, click.Abort):
        _tell("interrupted; nothing half-written was left behind")
        return INTERRUPTED
    except BrokenPipeError:  # the reader of a pipe has gone, as in `sightline ... | head`
        sys.stderr.close()
        return FAILED
    return status if isinstance(status, int) else DONE


def _tell(line: str) -> None:
    click.echo(f"sightline: {' '.join(line.split())}", err=True)
