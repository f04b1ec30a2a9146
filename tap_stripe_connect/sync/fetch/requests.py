"""The requests for units of work, and how their responses are interpreted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from tap_stripe_connect.api.errors import StripeError, says_missing

if TYPE_CHECKING:
    from tap_stripe_connect.api.client import Client
    from tap_stripe_connect.api.responses import ListPage
    from tap_stripe_connect.sync.fetch.nested import NestedList
    from tap_stripe_connect.sync.plan.jobs import Job
    from tap_stripe_connect.sync.plan.refetch import RetrieveTask
    from tap_stripe_connect.sync.plan.windows import Window

FIRST_TRIES = 2
"""Attempts at a page before a smaller one is requested."""


def page(client: Client, job: Job, window: Window, size: int) -> ListPage:
    """Return the next page of a window, with at most `size` rows; raises StripeError."""
    listed = job.listed
    parameters = {
        **listed.parameters,
        **listed.expanded("data."),
        **window.parameters(),
        "limit": str(size),
    }
    tries = FIRST_TRIES if size > 1 else None
    return client.page(listed.path, parameters, job.header, tries, objects=(listed.object,))


def nested_page(client: Client, nested: NestedList) -> ListPage:
    """Return the next page of a nested list; raises StripeError."""
    return client.page(
        nested.path,
        nested.parameters(),
        nested.job.header,
        parent=nested.owner["id"],
        objects=nested.objects,
        fields=nested.filters,
    )


def retrieved(client: Client, job: Job, single: RetrieveTask) -> tuple[dict[str, Any] | None, int]:
    """Return an object, None if it no longer exists, and its size in bytes; raises StripeError."""
    try:
        answer = client.get(
            f"{job.listed.path}/{_path_part(single.id)}",
            job.listed.expanded(),
            account=job.header,
            route=f"{job.listed.path}/{{id}}",
            objects=(job.listed.object,),
            id_=single.id,
        )
    except StripeError as error:
        if not says_missing(error, single.id):
            raise
        return None, 0
    gone = answer.document.get("deleted") is True
    return (None if gone else answer.document), answer.size


def _path_part(name: str) -> str:
    """Return an id quoted for a path; `.` and `..` would be resolved as folders."""
    return quote(name, safe="") if name.strip(".") else name.replace(".", "%2E")
