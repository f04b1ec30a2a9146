"""The lists inside objects, which Stripe cuts short: read to their end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_stripe_connect.api.errors import StripeError, Verdict, says_missing
from tap_stripe_connect.catalog import nested_in

if TYPE_CHECKING:
    from tap_stripe_connect.api.client import Client
    from tap_stripe_connect.sync.jobs import Job


def completed(
    client: Client, job: Job, streams: frozenset[str], rows: list[dict[str, Any]]
) -> tuple[int, set[str]]:
    """Read the rest of the nested lists of `rows`, in place (B1).

    Returns the bytes added, and the ids of rows that have vanished meanwhile (C9).
    """
    added = 0
    lost: set[str] = set()
    nested = {one.list_field: one.name in streams for one in nested_in(job.listed.name)}
    for row in rows:
        for name, value in row.items():
            if type(value) is dict and value.get("has_more") is True and nested.get(name, True):
                try:
                    value["data"], size = _all_rows(client, job, row["id"], value)
                except StripeError as error:
                    if not says_missing(error, row["id"]):
                        raise
                    lost.add(row["id"])
                    break
                value["has_more"] = False
                added += size
    return added, lost


def _all_rows(
    client: Client, job: Job, parent: str, nested: dict[str, Any]
) -> tuple[list[dict[str, Any]], int]:
    """Return all rows of a nested list, and their bytes."""
    url = nested.get("url")
    if not isinstance(url, str):
        raise StripeError(
            "a list in an object goes on, but Stripe does not say where",
            verdict=Verdict.FAIL_STREAM,
            path=job.listed.path,
            account=job.header,
            advice="run again later; report it if it stays",
        )
    return client.all_rows(url, job.header, parent)
