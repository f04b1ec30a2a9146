"""Stripe's errors: an action for each of them, and a message of one line without secrets."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tap_stripe_connect.api.errors import (
    RULES,
    ErrorAction,
    StripeError,
    account_in,
    missing_permission,
    redact,
    rule_for,
)

stable = settings(deadline=None, derandomize=True, max_examples=300)

EVERY_STATUS = range(300, 600)
KEYS = [
    f"{kind}_{mode}_51PlantedSecret{tail}"
    for kind in ("sk", "rk", "pk")
    for mode in ("live", "test")
    for tail in ("", "********abcd", "_more")
]
SECRETS = [*KEYS, "sk_org_live_PlantedSecret", "whsec_PlantedSecret", "ac_PlantedSecret"]

PERMISSION = (
    "The provided key 'rk_test_*****mple' does not have the required permissions for this "
    "endpoint on account 'acct_1Example'. Having the 'rak_charge_read' permission would allow "
    "this request to continue."
)
REVOKED = (
    "The provided key 'sk_test_*****mple' does not have access to account 'acct_2Example' (or "
    "that account does not exist). Application access may have been revoked."
)


@pytest.mark.parametrize(
    ("status", "code", "message", "expected"),
    [
        (400, "parameter_unknown", "Received unknown parameter: creatd", ErrorAction.FAIL_STREAM),
        (400, "parameter_invalid_integer", "Invalid integer: NaN", ErrorAction.FAIL_STREAM),
        (400, "resource_missing", "No such charge: 'ch_1'", ErrorAction.FAIL_STREAM),
        (400, "rate_limit", "Request rate limit exceeded", ErrorAction.RETRY),
        (400, "", "Only Stripe Connect platforms can work with other accounts.", ErrorAction.STOP),
        (401, "", "Invalid API Key provided: sk_test_****mple", ErrorAction.STOP),
        (401, "api_key_expired", "Expired API Key provided: sk_test_****mple", ErrorAction.STOP),
        (401, "platform_api_key_expired", "The platform's API key has expired.", ErrorAction.STOP),
        (401, "", "You did not provide an API key.", ErrorAction.STOP),
        (401, "secret_key_required", "This call needs a secret key.", ErrorAction.STOP),
        (401, "", PERMISSION, ErrorAction.SKIP_STREAM),
        (402, "card_declined", "Your card was declined.", ErrorAction.FAIL_STREAM),
        (403, "", PERMISSION, ErrorAction.SKIP_STREAM),
        (403, "more_permissions_required_for_application", "More needed", ErrorAction.SKIP_STREAM),
        (403, "oauth_not_supported", "Not for applications", ErrorAction.SKIP_STREAM),
        (403, "secret_key_required", "This call needs a secret key.", ErrorAction.STOP),
        (403, "account_invalid", REVOKED, ErrorAction.SKIP_ACCOUNT),
        (403, "", REVOKED, ErrorAction.SKIP_ACCOUNT),
        (403, "", "This key does not allow requests from your IP address.", ErrorAction.STOP),
        (403, "", "Only Stripe Connect platforms can work with other accounts.", ErrorAction.STOP),
        (404, "account_invalid", "No such account", ErrorAction.SKIP_ACCOUNT),
        (404, "resource_missing", "No such price: 'price_1'", ErrorAction.FAIL_STREAM),
        (409, "idempotency_key_in_use", "Another request is being made", ErrorAction.RETRY),
        (424, "", "A dependency failed", ErrorAction.FAIL_STREAM),
        (429, "rate_limit", "Request rate limit exceeded", ErrorAction.RETRY),
        (429, "lock_timeout", "This object cannot be accessed right now", ErrorAction.RETRY),
        (500, "", "An unknown error occurred", ErrorAction.RETRY),
        (503, "", "", ErrorAction.RETRY),
        (302, "", "", ErrorAction.STOP),
    ],
)
def test_action_of_an_error(status: int, code: str, message: str, expected: ErrorAction) -> None:
    """Each error that Stripe returns for reads has the right action."""
    assert rule_for(status, code, message).action is expected


@pytest.mark.parametrize("status", EVERY_STATUS)
def test_every_status_has_an_action(status: int) -> None:
    """Every error has an action, whatever its text; all actions except retries have advice."""
    codes = ["", "unheard_of", *{rule.code for rule in RULES}]
    texts = ["", "Something new", *{rule.text for rule in RULES}, PERMISSION, REVOKED]
    for code in codes:
        for text in texts:
            rule = rule_for(status, code, text)
            assert status in rule.status
            assert rule.advice or rule.action is ErrorAction.RETRY


@pytest.mark.parametrize("status", [200, 204, 299, 600])
def test_a_success_has_no_rule(status: int) -> None:
    """Looking up the rule of a success is a bug, and raises."""
    with pytest.raises(ValueError, match=str(status)):
        rule_for(status, "", "")


@pytest.mark.parametrize("place", range(len(RULES)))
def test_every_rule_can_match(place: int) -> None:
    """No row of the table is hidden by the rows before it."""
    rule = RULES[place]
    matched = [rule_for(status, rule.code, rule.text, rule.path) for status in rule.status]
    assert any(one is rule for one in matched)


@pytest.mark.parametrize("status", [400, 403, 404, 409, 422, 429, 500])
def test_unknown_errors_never_stop_a_run(status: int) -> None:
    """Other streams continue after an error with an unknown code and text."""
    action = rule_for(status, "unheard_of", "Something new").action
    assert action in {ErrorAction.RETRY, ErrorAction.SKIP_STREAM, ErrorAction.FAIL_STREAM}


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize(
    "form", ["{}", "Invalid API Key provided: {}.", "key='{}'", '"{}",', "Bearer {}\n", "x={}&y"]
)
def test_keys_are_redacted(secret: str, form: str) -> None:
    """Keys, signing secrets and authorization codes are hidden, but their prefix is shown."""
    hidden = redact(form.format(secret))
    assert "Planted" not in hidden
    assert "abcd" not in hidden
    assert hidden.startswith(form.partition("{")[0])
    assert f"{secret.partition('_')[0]}_…" in hidden


@pytest.mark.parametrize(
    "text",
    [
        "account 'acct_1Example' has no rak_charge_read",
        "use a restricted (rk_…) or secret (sk_…) key",
        "GET /v1/charges, request id req_1Example",
        "task_force of risk_level and whsec_ and pk",
    ],
)
def test_other_text_is_not_redacted(text: str) -> None:
    """Ids, permissions and plain words stay readable."""
    assert redact(text) == text


def error(message: str = "No such charge", **given: Any) -> StripeError:
    """Return an error with all details."""
    known = {
        "action": ErrorAction.FAIL_STREAM,
        "path": "/v1/charges",
        "account": "acct_1Example",
        "status": 404,
        "code": "resource_missing",
        "request_id": "req_1Example",
        "advice": "report this with the request id",
    }
    return StripeError(message, **{**known, **given})


def test_an_error_shows_what_support_asks_for() -> None:
    """The line has message, method, path, status, code, account, request id and advice."""
    assert str(error()) == (
        "No such charge [GET /v1/charges, status 404, code resource_missing, "
        "account acct_1Example, request id req_1Example] - report this with the request id"
    )


def test_unknown_details_are_omitted() -> None:
    """The line has no empty parts."""
    bare = StripeError("the connection was lost", action=ErrorAction.RETRY, path="/v1/account")
    assert str(bare) == "the connection was lost [GET /v1/account]"


FIELDS = ["message", "path", "account", "code", "request_id", "advice"]


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("secret", SECRETS)
def test_no_part_of_an_error_shows_a_secret(field: str, secret: str) -> None:
    """A key in any part of a response appears in neither `str` nor `repr`."""
    shown = error(**{field: f"answered {secret} here"})
    assert "Planted" not in str(shown)
    assert "Planted" not in repr(shown)
    assert "Planted" not in shown.message


@stable
@given(st.sampled_from(FIELDS), st.text())
def test_an_error_is_always_one_line(field: str, text: str) -> None:
    """Whatever Stripe or a proxy responds, an error is one line of the log."""
    assert len(str(error(**{field: f"before{text}after"})).splitlines()) == 1
    assert len(redact(text).splitlines()) <= 1


@stable
@given(st.text())
def test_redaction_is_idempotent(text: str) -> None:
    """A redacted line can be redacted again."""
    once = redact(text)
    assert redact(once) == once


@pytest.mark.parametrize(
    ("message", "permission", "account"),
    [
        (PERMISSION, "rak_charge_read", "acct_1Example"),
        (REVOKED, "", "acct_2Example"),
        ("No such charge", "", ""),
        ("", "", ""),
    ],
)
def test_permissions_and_accounts_are_found_in_messages(
    message: str, permission: str, account: str
) -> None:
    """The permission to add, and its account, are extracted from Stripe's message."""
    assert missing_permission(message) == permission
    assert account_in(message) == account
