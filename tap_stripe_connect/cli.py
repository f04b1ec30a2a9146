"""Command line: the SDK's command, the tap's subcommands, and errors on one line."""

from __future__ import annotations

import io
import json
import sys
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from singer_sdk.exceptions import ConfigValidationError
from singer_sdk.plugin_base import SingerCommand

from tap_stripe_connect.api.errors import StripeError
from tap_stripe_connect.errors import TapError
from tap_stripe_connect.mapping import MapError
from tap_stripe_connect.sync.emit.writer import OutputClosedError
from tap_stripe_connect.sync.state.input import state_text

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Iterator

    Callback = Callable[[click.Context, click.Parameter, Any], Any]

COMMANDS = {
    "connect": "tap_stripe_connect.connect.commands:connect",
    "disconnect": "tap_stripe_connect.connect.commands:disconnect",
    "simulate": "tap_stripe_connect.simulator.cli:simulate",
    "status": "tap_stripe_connect.connect.commands:status",
}
"""Subcommands, imported when used, so that they do not slow down a sync."""


class InvalidNumberError(ValueError):
    """A file contains NaN or Infinity; the message follows the file's name."""


class CommandGroup(SingerCommand, click.Group):
    """The SDK's command with subcommands."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the subcommands."""
        del ctx
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a subcommand."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(import_module(module), name)
        return command

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:  # noqa: ANN401
        """Parse the options; `--discover` and `--test` run here."""
        with self._one_line_errors():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401
        """Run the command."""
        with self._one_line_errors():
            return super().invoke(ctx)

    @contextmanager
    def _one_line_errors(self) -> Iterator[None]:
        """Log errors that users can fix without a traceback, and exit with code 1."""
        try:
            yield
        except ConfigValidationError as error:
            for line in error.errors:
                self.logger.error(line)  # noqa: TRY400
            raise click.exceptions.Exit(1) from None
        except (MapError, StripeError, OutputClosedError) as error:
            self.logger.error(error)  # noqa: TRY400
            raise click.exceptions.Exit(1) from None


def command_group(command: click.Command, logger: logging.Logger) -> CommandGroup:
    """Return the SDK's command as a group, so that `tap-stripe-connect simulate` works as well."""
    sync = command.callback

    def callback(**options: Any) -> None:  # noqa: ANN401
        if click.get_current_context().invoked_subcommand or not sync:
            return
        _check_stdout()
        options["catalog"] = _catalog(options["catalog"])
        options["state"] = _state(options["state"])
        sync(**options)

    for option in command.params:
        if option.name == "config" and option.callback:
            option.callback = _config_callback(option.callback)
        elif option.name in {"discover", "test"} and option.callback:
            option.callback = _output_callback(option.callback)
    return CommandGroup(
        name=command.name,
        callback=callback,
        params=command.params,
        help=command.help,
        context_settings=command.context_settings,
        invoke_without_command=True,
        logger=logger,
    )


def _config_callback(read: Callback) -> Callback:
    """Return a callback of `--config` that reports unreadable files on one line."""

    def callback(ctx: click.Context, option: click.Parameter, value: tuple[str, ...]) -> Any:  # noqa: ANN401
        found = read(ctx, option, tuple(path for path in value if path == "ENV"))
        for path in value:
            if path != "ENV":
                try:
                    content = Path(path).read_text("utf-8")
                except OSError as error:
                    raise TapError(f"--config: {error}") from None
                except UnicodeDecodeError:
                    content = ""
                found.config |= _object(content, "--config", path)
        return found

    return callback


def _output_callback(act: Callback) -> Callback:
    """Return a callback of an option that needs stdout."""

    def callback(ctx: click.Context, option: click.Parameter, value: Any) -> Any:  # noqa: ANN401
        if value and value != option.get_default(ctx):
            _check_stdout()
        return act(ctx, option, value)

    return callback


def _check_stdout() -> None:
    """Raise TapError if stdout was already closed when Python started."""
    if sys.stdout is None:
        raise TapError("stdout is closed, so there is nowhere to write the output")


def _object(content: str, option: str, name: str) -> dict[str, Any]:
    """Parse a JSON object; raises TapError, which names the file but does not quote it."""
    reason = "is not a JSON object; it may have been cut off"
    try:
        document = json.loads(content, parse_constant=_reject_constant)
        if isinstance(document, dict):
            return document
    except InvalidNumberError as error:
        reason = str(error)
    except (RecursionError, ValueError):
        pass
    raise TapError(f"{option}: {name} {reason}")


def _reject_constant(name: str) -> None:
    """Reject a constant that Python accepts but JSON does not allow, as the SDK does."""
    raise InvalidNumberError(f"contains {name}, which is not valid JSON")


def _catalog(file: io.TextIOBase | None) -> io.StringIO | None:
    """Return the catalog in a file; without this check, the SDK would show a traceback."""
    if file is None:
        return None
    try:
        content = file.read()
    except UnicodeDecodeError:
        content = ""
    _object(content, "--catalog", getattr(file, "name", "the file"))
    return io.StringIO(content)


def _state(file: io.TextIOBase | None) -> io.StringIO | None:
    """Return the state in a file, which may also contain the lines that a target printed."""
    if file is None:
        return None
    name = getattr(file, "name", "the file")
    try:
        text = state_text(file)
    except UnicodeDecodeError:
        reason = "is not UTF-8 text"
    except ValueError as error:
        reason = str(error)
    else:
        _object(text, "--state", name)
        return io.StringIO(text)
    raise TapError(f"--state: {name} {reason}")
