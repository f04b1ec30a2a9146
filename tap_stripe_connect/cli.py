"""The command line: the SDK's command, our commands beneath it, and faults told in one line."""

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
"""Commands and where they are; imported when used, so that a sync does not pay for them."""


class NoNumberError(ValueError):
    """A file holds NaN or Infinity; the message is a predicate about the file."""


class CommandGroup(SingerCommand, click.Group):
    """The SDK's command that also has commands of its own."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands."""
        del ctx
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(import_module(module), name)
        return command

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:  # noqa: ANN401
        """Read the options, of which `--discover` and `--test` act at once."""
        with self._errors_told():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401
        """Run, and tell foreseeable faults in one line."""
        with self._errors_told():
            return super().invoke(ctx)

    @contextmanager
    def _errors_told(self) -> Iterator[None]:
        """Log errors that users can put right, without a traceback, and exit with 1."""
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
    """Return the SDK's command as a group, for `tap-stripe-connect simulate` beside `--config`."""
    sync = command.callback

    def callback(**options: Any) -> None:  # noqa: ANN401
        if click.get_current_context().invoked_subcommand or not sync:
            return
        _check_stdout()
        options["catalog"] = _checked(options["catalog"], "--catalog")
        options["state"] = _state(options["state"])
        sync(**options)

    for option in command.params:
        if option.name == "config" and option.callback:
            option.callback = _reading_config(option.callback)
        elif option.name in {"discover", "test"} and option.callback:
            option.callback = _writing(option.callback)
    return CommandGroup(
        name=command.name,
        callback=callback,
        params=command.params,
        help=command.help,
        context_settings=command.context_settings,
        invoke_without_command=True,
        logger=logger,
    )


def _reading_config(read: Callback) -> Callback:
    """Return a callback of `--config` that tells in one line what cannot be read."""

    def reading(ctx: click.Context, option: click.Parameter, value: tuple[str, ...]) -> Any:  # noqa: ANN401
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

    return reading


def _writing(act: Callback) -> Callback:
    """Return a callback that acts only where its output can be written."""

    def writing(ctx: click.Context, option: click.Parameter, value: Any) -> Any:  # noqa: ANN401
        if value and value != option.get_default(ctx):
            _check_stdout()
        return act(ctx, option, value)

    return writing


def _check_stdout() -> None:
    """Refuse to run without stdout, which Python does not have where it was closed before."""
    if sys.stdout is None:
        raise TapError("stdout is closed, so that nothing can be written")


def _object(content: str, option: str, name: str) -> dict[str, Any]:
    """Return the JSON object that a file holds; TapError names the file, and not what it holds."""
    reason = "is not a JSON object; it may have been cut off"
    try:
        document = json.loads(content, parse_constant=_refuse_constant)
        if isinstance(document, dict):
            return document
    except NoNumberError as error:
        reason = str(error)
    except (RecursionError, ValueError):
        pass
    raise TapError(f"{option}: {name} {reason}")


def _refuse_constant(name: str) -> None:
    """Refuse a number that Python reads and JSON does not have, as the SDK does."""
    raise NoNumberError(f"holds {name}, which JSON does not have")


def _checked(file: io.TextIOBase | None, option: str) -> io.StringIO | None:
    """Return the file's content if it is a JSON object; the SDK would end in a traceback."""
    if file is None:
        return None
    try:
        content = file.read()
    except UnicodeDecodeError:
        content = ""
    _object(content, option, getattr(file, "name", "the file"))
    return io.StringIO(content)


def _state(file: io.TextIOBase | None) -> io.StringIO | None:
    """Return the state in a file, which may also hold the lines that a target has passed on."""
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
