"""Signatures of webhooks, by the examples of those who invented them."""

from __future__ import annotations

import pytest

from executions_app.webhooks.signatures import (
    GITHUB,
    OWN,
    SLACK,
    SLACK_TIME,
    SignatureWrong,
    check_github,
    check_own,
    check_slack,
    sign,
)

SLACK_BODY = (
    b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V"
    b"&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text="
    b"&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN"
    b"&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
)
SLACK_HEADERS = {
    SLACK: "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
    SLACK_TIME: "1531420618",
}
GITHUB_HEADERS = {GITHUB: "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"}


def test_the_example_of_githubs_documentation_is_right() -> None:
    assert check_github("It's a Secret to Everybody", b"Hello, World!", GITHUB_HEADERS)


def test_the_example_of_slacks_documentation_is_right() -> None:
    assert check_slack("8f742231b10e8888abcd99yyyzzz85a5", SLACK_BODY, SLACK_HEADERS, second=1531420618 + 299)


@pytest.mark.parametrize("apart", [-301, 301])
def test_a_message_of_another_time_is_refused(apart: int) -> None:
    with pytest.raises(SignatureWrong, match="5 minutes"):
        check_slack("8f742231b10e8888abcd99yyyzzz85a5", SLACK_BODY, SLACK_HEADERS, second=1531420618 + apart)
    with pytest.raises(SignatureWrong, match="5 minutes"):
        check_own("s", b"{}", {OWN: sign("s", b"{}", second=1000)}, second=1000 + apart)


def test_what_is_signed_is_what_is_checked() -> None:
    headers = {OWN: sign("s", b"{}", second=1000)}

    assert check_own("s", b"{}", headers, second=1300) == headers[OWN].partition("v1=")[2]
    for secret, body in (("other", b"{}"), ("s", b"{} ")):
        with pytest.raises(SignatureWrong, match="does not fit"):
            check_own(secret, body, headers, second=1000)
    moved = {OWN: headers[OWN].replace("t=1000", "t=1001")}
    with pytest.raises(SignatureWrong, match="does not fit"):
        check_own("s", b"{}", moved, second=1000)


@pytest.mark.parametrize("value", ["", "t=1,v1=0", "v1=00", "t=1000", "t=x,v1=" + "0" * 64, "\udcff"])
def test_a_header_that_is_none_is_refused(value: str) -> None:
    with pytest.raises(SignatureWrong):
        check_own("s", b"{}", {OWN: value}, second=1000)
    with pytest.raises(SignatureWrong):
        check_github("s", b"{}", {GITHUB: value})
    with pytest.raises(SignatureWrong):
        check_slack("s", b"{}", {SLACK: value, SLACK_TIME: "1000"}, second=1000)
    with pytest.raises(SignatureWrong):
        check_slack("s", b"{}", {SLACK_TIME: value}, second=1000)
