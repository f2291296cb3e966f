"""The `sightline` command."""

import io
import sys
from importlib import import_module

import click

from sightline.errors import InspectionError

DONE, FAILED, WRONG_USAGE, REJECTED = 0, 1, 2, 3
INTERRUPTED = 130  # 128 + SIGINT, as shells have it

_COMMANDS = {  # in the order in which one meets them: name -> its command in sightline.cli.<name>, and a summary
    "demo": ("demo_command", "See everything on rendered parts; needs no data."),
    "train": ("train_command", "Learn from good pictures and write a model."),
    "auto": ("auto_command", "Search for the best model within minutes, a latency and a size."),
    "teach": ("teach_command", "Teach a classifier a new class of defect from a few examples."),
    "inspect": ("inspect_command", "Judge pictures with a model; show where and why."),
    "evaluate": ("evaluate_command", "Compare a model's verdicts with the truth; write a report."),
    "calibrate": ("calibrate_command", "Set a model's thresholds for a rate, a cost or a recall."),
    "bench": ("bench_command", "Measure a model's speed and memory on this machine."),
    "info": ("info_command", "Show what a model was made from and what its thresholds promise."),
    "line": ("line_group", "Run a station beside a conveyor, with cameras and a PLC."),
    "serve": ("serve_group", "Run the plant server that stations report to."),
    "export": ("export_command", "Write a model's graph for other runtimes."),
    "data": ("data", "Check, convert, divide and measure data sets."),
}


class Commands(click.Group):
    """Imports a command when it is called: the list of commands and the version need no model runtime."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS) + super().list_commands(ctx)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return super().get_command(ctx, cmd_name)
        command: click.Command = getattr(import_module(f"sightline.cli.{cmd_name}"), _COMMANDS[cmd_name][0])
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, _COMMANDS[name][1]) for name in self.list_commands(ctx)])


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(None, "-V", "--version", package_name="sightline", message="sightline %(version)s")
def cli() -> None:
    """Inspect parts with cameras: learn from good pictures, find what is not good, show where and why.

    \b
    A first session:
      sightline train good_parts/ -o part.sight
      sightline inspect part.sight new_parts/ --overlay seen/
      sightline evaluate part.sight test_parts/ --report report.html

    Exit status: 0 done, 1 an error told in one line, 2 wrong usage; `inspect --fail-on-reject` exits 3 on a reject.
    """


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit; what we raise on purpose becomes one line on standard error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a file's name may hold bytes that are no text
            stream.reconfigure(errors="backslashreplace")
    sys.exit(run(arguments))


def run(arguments: list[str] | None = None) -> int:
    """Run one command line and return its exit status; SystemExit(1) where the reader of a pipe has gone."""
    try:
        status = cli.main(arguments, prog_name="sightline", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except InspectionError as error:
        _tell(f"error: {error}")
        return FAILED
    except OSError as error:  # standard output on a full disk; files that we write have a StoreError
        _tell(f"error: {error.filename or 'output'}: {error.strerror}. Check the disk.")
        return FAILED
    except (KeyboardInterrupt, click.Abort):
        _tell("interrupted; nothing half-written was left behind")
        return INTERRUPTED
    return status if isinstance(status, int) else DONE


def _tell(line: str) -> None:
    click.echo(f"sightline: {' '.join(line.split())}", err=True)
