"""The error that ends a command in one line."""

from __future__ import annotations

import click


class TapError(click.ClickException):
    """An error that users can fix; printed on one line, with exit code 1."""
