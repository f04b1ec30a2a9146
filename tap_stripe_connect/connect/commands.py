"""The commands `connect`, `status` and `disconnect`."""

from __future__ import annotations

import os
import re
import signal
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from tap_stripe_connect.catalog import STREAMS
from tap_stripe_connect.connect import inputs, leaving, overview, own_key, restricted, two_step
from tap_stripe_connect.connect.inputs import Options
from tap_stripe_connect.connect.language import LANGUAGES
from tap_stripe_connect.connect.outcome import Exit
from tap_stripe_connect.connect.refusals import Refusal
from tap_stripe_connect.connect.signing_in import SigningIn, Wishes
from tap_stripe_connect.connect.store import Store, StoreFault, found
from tap_stripe_connect.connect.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Callable


class Talk(click.Command):
    """A command that ends in one line, whatever ends it, and with the exit code that fits."""

    def invoke(self, ctx: click.Context) -> None:
        """Run with a terminal; the command returns its exit code."""
        before = signal.signal(signal.SIGINT, _interrupt)
        with closing(Terminal()) as terminal:
            ctx.obj = terminal
            code = self._told(ctx, terminal)
        if code is not Exit.INTERRUPTED:
            signal.signal(signal.SIGINT, before)
        ctx.exit(code)

    def _told(self, ctx: click.Context, terminal: Terminal) -> Exit:
        """Run, and say why it fails if it does."""
        try:
            code: Exit = super().invoke(ctx)
        except Refusal as refusal:
            terminal.end_line()
            terminal.bad(refusal.line, refusal.advice)
            return refusal.exit
        except StoreFault as fault:
            terminal.end_line()
            terminal.bad(str(fault))
            return Exit.FAILED
        except (KeyboardInterrupt, click.Abort):
            terminal.end_line()
            terminal.bad("Cancelled.")
            return Exit.INTERRUPTED
        return code


def _interrupt(*_: object) -> NoReturn:
    """Interrupt once: Meltano passes Ctrl-C on although it has come already."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    raise KeyboardInterrupt


def _account(_: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    if value and not re.fullmatch(r"acct_\w+", value, re.ASCII):
        raise click.BadParameter("an account id begins with acct_", param=parameter)
    return value


def _streams(_: click.Context, parameter: click.Parameter, value: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in value.split(",") if name.strip())
    try:
        restricted.permissions(names)
    except Refusal as refusal:
        raise click.BadParameter(f"{refusal.line} {refusal.advice}", param=parameter) from None
    return names or tuple(stream.name for stream in STREAMS)


def _options(*options: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def decorate(function: Any) -> Any:  # noqa: ANN401 - as click's own decorators
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


PATH = click.Path(path_type=Path)
SETTINGS = _options(
    click.option("--config", type=PATH, help="Settings file to use, in JSON."),
    click.option("--dotenv", type=PATH, help="Settings file to use, with variables."),
    click.option("--plugin", help="Extractor of the Meltano project whose settings to use."),
)
PLATFORM = _options(
    click.option("--live/--test", default=None, help="Stripe's mode.  [default: the key's]"),
    click.option(
        "--client-id", default="", help="The platform's, ca_….  [default: STRIPE_CLIENT_ID]"
    ),
    click.option(
        "--secret-file",
        default="",
        metavar="FILE",
        help="File with the key, or - for standard input.  [default: STRIPE_SECRET_KEY, the "
        "settings, or a question]",
    ),
    click.option("--yes", is_flag=True, help="Answer questions with yes."),
)


@click.command(cls=Talk)
@click.option("--own", is_flag=True, help="Read your own account, with a restricted key.")
@PLATFORM
@click.option(
    "--redirect-uri",
    default="",
    metavar="URI",
    help=f"As registered in Stripe.  [default: http, or live https, ://{inputs.CALLBACK}]",
)
@click.option("--reauth", metavar="ACCOUNT", default="", callback=_account, help="Renew access.")
@click.option(
    "--streams", default="", callback=_streams, help="Streams to be read.  [default: all]"
)
@click.option("--no-browser", is_flag=True, help="Do not open a browser here.")
@click.option(
    "--timeout",
    type=click.IntRange(1, 600),
    default=600,
    show_default=True,
    help="Seconds to wait for the approval.",
)
@click.option("--start", is_flag=True, help="First of two steps: print the link, as JSON.")
@click.option(
    "--complete",
    type=click.Choice(["-"]),
    help="Second of two steps: read the address that the browser ended up on.",
)
@click.option("--lang", type=click.Choice(LANGUAGES), help="Language of the pages.")
@SETTINGS
@click.pass_obj
def connect(  # noqa: PLR0913 - one parameter for each option
    terminal: Terminal,
    /,
    *,
    own: bool,
    reauth: str,
    streams: tuple[str, ...],
    no_browser: bool,
    timeout: int,
    start: bool,
    complete: str | None,
    lang: str | None,
    config: Path | None,
    dotenv: Path | None,
    plugin: str | None,
    **shared: Any,  # noqa: ANN401 - the options of PLATFORM
) -> Exit:
    """Connect Stripe accounts, and save what the tap needs to read them."""
    store = _store(config, dotenv, plugin)
    options = Options(**shared)
    if sum((own, start, bool(complete))) > 1 or (reauth and (own or complete)):
        raise click.UsageError(
            "--own, --start, --complete and --reauth go together only as --start --reauth."
        )
    for remark in store.remarks():
        terminal.care(remark)
    if own:
        return own_key.connect(terminal, store, options, streams)
    if start:
        return two_step.start(terminal, store, options, reauth)
    if complete:
        return two_step.complete(terminal, store, options)
    means = inputs.means(terminal, inputs.reading(terminal, store), options)
    wishes = Wishes(
        renewing=reauth,
        streams=streams,
        browser=not no_browser,
        timeout=timeout,
        language=lang or "",
        yes=options.yes,
    )
    return SigningIn(terminal, store, means, wishes).run()


@click.command(cls=Talk)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@SETTINGS
@click.pass_obj
def status(
    terminal: Terminal,
    /,
    *,
    as_json: bool,
    config: Path | None,
    dotenv: Path | None,
    plugin: str | None,
) -> Exit:
    """Show the accounts of the settings, and whether each can be read."""
    return overview.status(terminal, _store(config, dotenv, plugin), as_json=as_json)


@click.command(cls=Talk)
@click.argument("account", callback=_account)
@PLATFORM
@SETTINGS
@click.pass_obj
def disconnect(
    terminal: Terminal,
    /,
    *,
    account: str,
    config: Path | None,
    dotenv: Path | None,
    plugin: str | None,
    **shared: Any,  # noqa: ANN401 - the options of PLATFORM
) -> Exit:
    """Withdraw the platform's access to ACCOUNT, and take it out of the settings."""
    store = _store(config, dotenv, plugin)
    return leaving.disconnect(terminal, store, Options(**shared), account)


def _store(config: Path | None, dotenv: Path | None, plugin: str | None) -> Store:
    if config and (dotenv or plugin):
        raise click.UsageError("--config goes with neither --dotenv nor --plugin.")
    return found(os.environ, config=config, dotenv=dotenv, plugin=plugin)
