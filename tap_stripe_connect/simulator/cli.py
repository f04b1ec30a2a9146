"""The command that serves a simulated Stripe."""

from __future__ import annotations

import signal
import threading
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import TypedDict, Unpack

import click
import pendulum

from tap_stripe_connect.simulator import business
from tap_stripe_connect.simulator.connect.registry import Client
from tap_stripe_connect.simulator.rate_limit import RateLimit
from tap_stripe_connect.simulator.world import World

TEST_RATE = 25
LIVE_RATE = 100
REDIRECT = "localhost:8765/callback"
INSTALL = "pip install 'tap-stripe-connect[simulator]'"


class Options(TypedDict):
    """The options of the command."""

    port: int
    seed: int
    customers: int
    years: int
    until: datetime
    accounts: int
    signups: int
    redirect_uri: tuple[str, ...]
    latency: float
    live: bool
    rate_limit: bool


@click.command()
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=0,
    show_default=True,
    help="Port on 127.0.0.1; 0 for a free one.",
)
@click.option("--seed", default=1, show_default=True, help="The same seed, the same business.")
@click.option(
    "--customers",
    type=click.IntRange(1),
    default=200,
    show_default=True,
    help="Customers of each account.",
)
@click.option(
    "--years",
    type=click.IntRange(1, 50),
    default=3,
    show_default=True,
    help="Length of the history.",
)
@click.option(
    "--until",
    type=click.DateTime(["%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%d"]),
    default="2026-01-01T00:00:00Z",
    show_default=True,
    help="End of the history, and the simulator's present; UTC unless said otherwise.",
)
@click.option(
    "--accounts",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="How many accounts are connected.",
)
@click.option(
    "--signups",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="How many more accounts exist that can be connected.",
)
@click.option(
    "--redirect-uri",
    multiple=True,
    help="Where Connect OAuth may come back to; can be repeated.  [default: /callback on "
    "localhost:8765]",
)
@click.option(
    "--latency",
    type=click.FloatRange(0),
    default=0.0,
    show_default=True,
    help="Seconds that a request takes.",
)
@click.option("--live/--test", default=False, show_default=True, help="Mode of data and key.")
@click.option(
    "--rate-limit/--no-rate-limit",
    default=False,
    show_default=True,
    help="Refuse requests beyond what Stripe allows in the mode.",
)
def simulate(**options: Unpack[Options]) -> None:
    """Serve a Stripe with a made-up business inside, until interrupted."""
    try:
        # Imported late: the other commands work without the extra.
        from tap_stripe_connect.simulator.server import Simulator  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise click.ClickException(f"{error.name} is missing: {INSTALL}") from error
    try:
        client = connect_client(options)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    world = build(options)
    world.connect.add_client(client)
    simulator = Simulator(world, port=options["port"], latency=options["latency"])
    if options["rate_limit"]:
        simulator.rate_limit = RateLimit(LIVE_RATE if options["live"] else TEST_RATE)
    with ExitStack() as stack:
        try:
            stack.enter_context(simulator)
        except OSError as error:
            raise click.ClickException(f"Port {options['port']} cannot be used: {error}") from error
        stopped = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda _number, _frame: stopped.set())
        counts = " ".join(
            f"{name}s={sum(account.count(name) for account in world.accounts.values())}"
            for name in ("customer", "subscription", "invoice", "charge", "event")
        )
        click.echo(
            f"Simulated Stripe ready: url={simulator.url} api_key={simulator.api_key} "
            f"client_id={client.id} accounts={len(world.accounts)} {counts}"
        )
        stopped.wait()


def build(options: Options) -> World:
    """Return a world with a business in each account, with different seeds."""
    until = options["until"]
    if until.tzinfo is None:
        until = until.replace(tzinfo=UTC)
    end = int(until.timestamp())
    start = pendulum.instance(until).subtract(years=options["years"]).int_timestamp
    world = World(now=end, livemode=options["live"], opened=start)
    for number in range(1, options["accounts"] + 1):
        world.add_account(f"acct_1Connected{number:04}")
    for number in range(1, options["signups"] + 1):
        world.add_signup(f"acct_1Signup{number:04}")
    for number, account in enumerate(world.accounts.values()):
        business.populate(
            account,
            seed=options["seed"] + number,
            customers=options["customers"],
            start=start,
            until=end,
        )
    return world


def connect_client(options: Options) -> Client:
    """Return the platform's client of the mode; raise ValueError for an invalid redirect URI."""
    live = options["live"]
    return Client(
        id="ca_SimulatorLive" if live else "ca_SimulatorTest",
        redirect_uris=options["redirect_uri"] or (f"{'https' if live else 'http'}://{REDIRECT}",),
        livemode=live,
    )
