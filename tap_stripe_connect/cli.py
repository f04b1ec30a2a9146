"""The command line: the SDK's command, our commands beneath it, and faults told in one line."""

from __future__ import annotations

import io
import json
from importlib import import_module
from typing import TYPE_CHECKING, Any

import click
from singer_sdk.plugin_base import SingerCommand

from tap_stripe_connect.api.errors import StripeError
from tap_stripe_connect.mapping import MapError
from tap_stripe_connect.sync.state_input import state_text
from tap_stripe_connect.sync.transfer import TargetGone

if TYPE_CHECKING:
    import logging

COMMANDS = {
    "connect": "tap_stripe_connect.connect.commands:connect",
    "disconnect": "tap_stripe_connect.connect.commands:disconnect",
    "simulate": "tap_stripe_connect.simulator.cli:simulate",
    "status": "tap_stripe_connect.connect.commands:status",
}
"""Commands and where they are; imported when used, so that a sync does not pay for them."""


class TapFault(click.ClickException):
    """Something that users can put right; told in one line, exit code 1."""


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
        """Read the options; a config file that cannot be read is told in one line."""
        try:
            return super().make_context(*args, **kwargs)
        except (OSError, ValueError, TypeError) as error:
            reason = error if isinstance(error, OSError) else "not a JSON object"
            raise TapFault(f"--config: {reason}") from None

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401
        """Run, and tell foreseeable faults in one line."""
        try:
            return super().invoke(ctx)
        except (MapError, StripeError, TargetGone) as error:
            self.logger.error(error)  # noqa: TRY400 - no traceback for what users can put right
            ctx.exit(1)


def command_group(command: click.Command, logger: logging.Logger) -> CommandGroup:
    """Return the SDK's command as a group, for `tap-stripe-connect simulate` beside `--config`."""
    sync = command.callback

    def callback(**options: Any) -> None:  # noqa: ANN401
        if click.get_current_context().invoked_subcommand or not sync:
            return
        options["catalog"] = _checked(options["catalog"], "--catalog")
        options["state"] = _state(options["state"])
        sync(**options)

    return CommandGroup(
        name=command.name,
        callback=callback,
        params=command.params,
        help=command.help,
        context_settings=command.context_settings,
        invoke_without_command=True,
        logger=logger,
    )


def _checked(file: io.TextIOBase | None, option: str) -> io.StringIO | None:
    """Return the file's content if it is a JSON object; the SDK would end in a traceback."""
    if file is None:
        return None
    try:
        content = file.read()
        whole = isinstance(json.loads(content), dict)
    except ValueError:
        whole = False
    if not whole:
        name = getattr(file, "name", "the file")
        raise TapFault(f"{option}: {name} is not a JSON object; it may have been cut off")
    return io.StringIO(content)


def _state(file: io.TextIOBase | None) -> io.StringIO | None:
    """Return the state in a file, which may also hold the lines that a target has passed on."""
    if file is None:
        return None
    try:
        return io.StringIO(state_text(file))
    except UnicodeDecodeError:
        reason = "is not UTF-8 text"
    except ValueError as error:
        reason = str(error)
    raise TapFault(f"--state: {getattr(file, 'name', 'the file')} {reason}")
