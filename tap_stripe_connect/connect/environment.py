"""What the programs that we start may know of our environment."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tap_stripe_connect.api.errors import redact

if TYPE_CHECKING:
    from collections.abc import Mapping

_SECRETS = re.compile(r"STRIPE_SECRET_KEY|(TAP_|MELTANO_)\w*_API_KEY")


def without_secrets(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables less those that are for keys, and those that hold one."""
    return {
        name: value
        for name, value in environ.items()
        if not _SECRETS.fullmatch(name) and redact(value) == " ".join(value.split())
    }
