"""Runs the tap as `python -m tap_stripe_connect`."""

from tap_stripe_connect.tap import TapStripeConnect

TapStripeConnect.cli()
