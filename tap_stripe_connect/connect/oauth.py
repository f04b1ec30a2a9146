"""Stripe's side of Connect OAuth, over HTTP; nothing here is ever sent twice."""

from __future__ import annotations

import re
import threading
from concurrent.futures import Future
from dataclasses import dataclass
from http import HTTPStatus
from importlib.metadata import version
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import requests
from requests import exceptions
from urllib3.exceptions import NewConnectionError

from tap_stripe_connect.api.api_keys import is_live
from tap_stripe_connect.api.network import is_loopback
from tap_stripe_connect.connect.outcome import Exit, Kind
from tap_stripe_connect.connect.refusals import Refusal, decoded, lost, refused, said_in

if TYPE_CHECKING:
    from collections.abc import Mapping

CONNECT = "https://connect.stripe.com"
DASHBOARD = "https://dashboard.stripe.com"
TIMEOUT = (5.0, 30.0)
"""Seconds to wait for a connection and for each piece of an answer."""
WHOLE = 30.0
"""Seconds for all of an answer to a post; each piece may be in time and still there is no end."""
PREFLIGHT_TIMEOUT = 8.0
_HEADERS = {"User-Agent": f"tap-stripe-connect/{version('tap-stripe-connect')}"}


@dataclass(frozen=True)
class Application:
    """A client id of the platform's, and how it is used."""

    client_id: str
    redirect_uri: str
    """Exactly as registered; empty: the first that is registered."""
    livemode: bool
    url: str
    """Where OAuth lives, without a slash at its end."""

    @property
    def words(self) -> Mapping[str, str]:
        """What the texts about it say."""
        test = "" if self.livemode else "/test"
        return {
            "client_id": self.client_id,
            "redirect_uri": self.redirect_uri,
            "mode": mode(livemode=self.livemode),
            "settings": f"{DASHBOARD}{test}/settings/connect/onboarding-options/oauth",
            "keys": f"{DASHBOARD}{test}/apikeys",
        }


@dataclass(frozen=True)
class Grant:
    """An account that the platform may act on from now on."""

    account_id: str
    livemode: bool
    scope: str
    """What was granted, which may be other than what was asked for."""


def mode(*, livemode: bool) -> str:
    """Return the name of a mode."""
    return "live mode" if livemode else "test mode"


def oauth_url(api_url: str) -> str:
    """Return where OAuth lives: at Stripe, unless the API is on this machine, as a simulator is."""
    return api_url.rstrip("/") if is_loopback(api_url) else CONNECT


def secret_key(text: str, *, livemode: bool) -> str:
    """Return the key in a pasted text, or raise Refusal if it cannot exchange a code."""
    key = text.strip("\ufeff\u200b\"'` \t\r\n")
    reasons = {
        "pk_": "This is a publishable key, which connects nothing.",
        "rk_": "This is a restricted key; connecting accounts takes the platform's secret key.",
        "sk_org_": "This is an organisation's key; connecting accounts takes the platform's own.",
    }
    reason = next((why for start, why in reasons.items() if key.startswith(start)), "")
    if not reason and not re.fullmatch(r"sk_\w+", key, re.ASCII):
        reason = "This is not a secret key; one begins with sk_ and has letters and digits only."
    if reason:
        advice = f"It is under Developers → API keys:\n  {_keys(livemode=livemode)}"
        raise Refusal(Kind.FAILED, reason, advice, exit=Exit.USAGE)
    if is_live(key) is not livemode:
        raise Refusal(
            Kind.WRONG_MODE,
            f"The secret key is not of {mode(livemode=livemode)}.",
            "The key, the client id and --live or --test have to agree.",
        )
    return key


def _keys(*, livemode: bool) -> str:
    return f"{DASHBOARD}{'' if livemode else '/test'}/apikeys"


def authorize_link(application: Application, state: str, *, again: bool = False) -> str:
    """Return the address to open in a browser; `again` renews a connection."""
    # Without a scope Stripe takes read_only, which it refuses to platforms.
    query = {
        "response_type": "code",
        "client_id": application.client_id,
        "scope": "read_write",
        "redirect_uri": application.redirect_uri,
        "state": state,
        "stripe_landing": "login",
        "always_prompt": "true" if again else "",
    }
    given = urlencode({name: value for name, value in query.items() if value})
    return f"{application.url}/oauth/authorize?{given}"


def preflight(application: Application) -> None:
    """Raise Refusal with what Stripe would show in the browser instead of its sign-in page.

    Stripe does not come back with such errors, so that nobody would ever hear of them.
    """
    _check(application)
    with _Anonymous() as session:
        try:
            response = session.get(
                authorize_link(application, ""), timeout=PREFLIGHT_TIMEOUT, headers=_HEADERS
            )
        except (OSError, ValueError) as error:
            failure = _unreachable(application, error)
        else:
            said = said_in(response.content)
            if said is None:
                return
            failure = refused(said, application.words)
    raise failure


class _Anonymous(requests.Session):
    """Sends no credentials, whatever `~/.netrc` has for the host or for one it redirects to."""

    def __init__(self) -> None:
        super().__init__()
        self.auth = _unchanged

    def rebuild_auth(
        self, prepared_request: requests.PreparedRequest, response: requests.Response
    ) -> None:
        """Leave a redirected request as it is."""


def _unchanged(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _check(application: Application) -> None:
    """Refuse what needs no question to Stripe."""
    if not re.fullmatch(r"ca_\w+", application.client_id, re.ASCII):
        raise Refusal(
            Kind.FAILED,
            "The client id has to begin with ca_, with letters and digits only.",
            "Copy it from Settings → Connect → Onboarding options → OAuth:\n  "
            + application.words["settings"],
            exit=Exit.USAGE,
        )
    uri = application.redirect_uri
    schemes = "https" if application.livemode else "https?"
    if uri and not re.fullmatch(rf"{schemes}://[!-~]+", uri):
        raise Refusal(
            Kind.FAILED,
            f"In {application.words['mode']} the redirect address has to begin with "
            f"{'https' if application.livemode else 'http or https'}://.",
            "Name one that is registered by --redirect-uri.",
            exit=Exit.USAGE,
        )


def exchange(application: Application, secret_key: str, code: str) -> Grant:
    """Turn a code into access to the account, by one request that is never repeated.

    Stripe withdraws the connection if a code is presented twice, so a lost answer is a Refusal.
    """
    form = {"grant_type": "authorization_code", "code": code}
    response = _post(application, "/oauth/token", form, secret_key)
    if isinstance(response, Refusal):
        raise response
    if response.status_code != HTTPStatus.OK:
        said = said_in(response.content)
        if said is None or response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise lost(f"it answered with HTTP status {response.status_code}")
        raise refused(said, application.words, (secret_key, code))
    granted = decoded(response.content)
    account_id, livemode = granted.get("stripe_user_id"), granted.get("livemode")
    known = isinstance(account_id, str) and re.fullmatch(r"acct_\w{1,250}", account_id, re.ASCII)
    # No token is asked for: Stripe has deprecated them and calls go out with the platform's key.
    if not known or not isinstance(livemode, bool):
        raise lost("it names no account")
    return Grant(str(account_id), livemode, str(granted.get("scope") or ""))


def deauthorize(application: Application, secret_key: str, account_id: str) -> bool:
    """Give up the access to an account; False if there was none any more."""
    form = {"client_id": application.client_id, "stripe_user_id": account_id}
    response = _post(application, "/oauth/deauthorize", form, secret_key)
    kept = "It may still be connected, and the settings are as they were. Run the command again."
    if isinstance(response, Refusal):
        raise Refusal(Kind.FAILED, response.line, kept)
    document = decoded(response.content)
    if response.status_code == HTTPStatus.OK and document.get("stripe_user_id") == account_id:
        return True
    said = said_in(response.content)
    if said is None or response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        line = f"Stripe's answer is not understood (HTTP status {response.status_code})."
        raise Refusal(Kind.FAILED, line, kept)
    if "not connected to stripe account" in said.text:
        return False
    raise refused(said, application.words, (secret_key,))


def _post(
    application: Application, path: str, form: Mapping[str, str], key: str
) -> requests.Response | Refusal:
    """Post once, and return the answer or why there is none, within a time for all of it."""
    ended: Future[requests.Response | Refusal] = Future()

    def post() -> None:
        try:
            ended.set_result(_answer(application, path, form, key))
        except BaseException as error:  # noqa: BLE001 - it is raised where it is waited for
            ended.set_exception(error)

    # A thread that is left to itself: only so an answer ends whose headers never do.
    threading.Thread(target=post, daemon=True).start()
    try:
        return ended.result(WHOLE)
    except TimeoutError:
        return lost("it took too long")


def _answer(
    application: Application, path: str, form: Mapping[str, str], key: str
) -> requests.Response | Refusal:
    """Return the answer to a post, or why there is none.

    A Refusal is returned, not raised: the errors of `requests` hold the form and the key, and
    would stay with it as its context.
    """
    with requests.Session() as session:
        try:
            # Credentials given here also keep those of ~/.netrc out; proxies stay in force.
            return session.post(
                application.url + path,
                data=form,
                auth=(key, ""),
                timeout=TIMEOUT,
                allow_redirects=False,
                headers=_HEADERS,
            )
        except (OSError, ValueError) as error:
            return _failure(application, error)


def _failure(application: Application, error: Exception) -> Refusal:
    """Tell an answer that was lost from a request that never left."""
    if not isinstance(error, _UNDERWAY) or _before_sending(error):
        return _unreachable(application, error)
    slow = isinstance(error, exceptions.Timeout)
    return lost("it took too long" if slow else "the connection broke")


_UNDERWAY = (
    exceptions.ConnectionError,
    exceptions.ReadTimeout,
    exceptions.ChunkedEncodingError,
    exceptions.ContentDecodingError,
)
"""What can happen after the request has left; of the first, not all cases."""


def _before_sending(error: Exception) -> bool:
    reason = getattr(next(iter(error.args), None), "reason", None)
    return (
        isinstance(error, exceptions.ConnectTimeout | exceptions.ProxyError)
        or isinstance(reason, NewConnectionError)
        or "CERTIFICATE_VERIFY_FAILED" in str(error)
    )


def _unreachable(application: Application, error: Exception) -> Refusal:
    causes = (
        (exceptions.ProxyError, "the proxy does not let through"),
        (exceptions.SSLError, "its certificate is not trusted"),
        (exceptions.Timeout, "it does not answer"),
    )
    cause = next((why for kind, why in causes if isinstance(error, kind)), "no connection")
    return Refusal(
        Kind.FAILED,
        f"Stripe cannot be reached at {application.url}: {cause}.",
        "Check the network, and HTTPS_PROXY and REQUESTS_CA_BUNDLE where they are in use. "
        "Then run the command again.",
    )
