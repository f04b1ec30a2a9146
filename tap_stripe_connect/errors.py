"""The error that ends a command in one line."""

from __future__ import annotations

import click


class TapError(click.ClickException):
    """Something that users can put right; told in one line, exit code 1."""
