"""Entry point of `python -m tap_stripe_connect`."""

from tap_stripe_connect.tap import TapStripeConnect

TapStripeConnect.cli()
