"""The routes that take webhooks. Errors are put into their envelope by `mongoclaw_project.api_errors`."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final, NoReturn

import structlog
from django.urls import path
from pydantic import ConfigDict, Field
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed, ParseError
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from agents_app.api_docs import OBJECT, Shape, header, operation
from agents_app.api_request import somebody
from agents_app.errors import SpecInvalid, SpecProblem
from agents_app.sight import visible_agents
from executions_app.api_body import refuse_larger
from executions_app.api_permissions import MayOperate
from executions_app.asking import request_id_of
from executions_app.text import storable
from executions_app.triggers.wanted import read_key
from executions_app.webhooks import signatures
from executions_app.webhooks.deliveries import Marked, Reply, once
from executions_app.webhooks.events import LONGEST_TYPE, TRIGGER, Event, Sender, alarm, obey, read_event
from executions_app.webhooks.signatures import SignatureWrong
from mongoclaw_project.config import current

log = structlog.get_logger(__name__)

MOST_BYTES: Final = 2 * 1024 * 1024
LONGEST_NAME: Final = 100

TAG: Final = "webhooks"
GONE, TAKEN, WRONG = HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY
TOO_LARGE: Final = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
OF_SENDER: Final[Mapping[str, Any]] = {"application/json": OBJECT}
RECEIVED: Final[Mapping[str, Any]] = {
    "type": "object",
    "properties": {
        "received": {"type": "boolean"},
        "message": {"type": ["string", "null"]},
        "execution_id": {"type": "string", "description": "The run that was asked for, if one was."},
    },
    "required": ["received", "message"],
    "additionalProperties": False,
}
CHALLENGED: Final[Mapping[str, Any]] = {
    "type": "object",
    "properties": {"challenge": {"type": "string"}},
    "required": ["challenge"],
    "additionalProperties": False,
}
SIGNED: Final = header(
    signatures.OWN, "`t=<seconds since 1970>,v1=<HMAC-SHA256 of t, a dot and the body>`, instead of a key."
)
REPEATED: Final = header("Idempotency-Key", "Names a request to trigger: sent again, it has the same run.")


class EventBody(Shape):
    """What has happened, or what is to be done: `trigger`, `pause_processing`, `resume_processing`."""

    model_config = ConfigDict(extra="ignore")

    event_type: str = Field(min_length=1, max_length=LONGEST_TYPE)
    data: dict[str, Any]
    timestamp: str | None = None


class _Foreign(APIView):
    """A route of somebody else's format, open to whoever has the secret."""

    authentication_classes: Sequence[type[BaseAuthentication]] = ()
    permission_classes: Sequence[type[BasePermission]] = ()

    def get_authenticate_header(self, request: Request) -> str:  # noqa: ARG002  # the framework's signature
        """Say how one proves who one is: by a signature."""
        return "Signature"


class GitHub(_Foreign):
    """GitHub."""

    @operation(
        "receive_github_webhook",
        tag=TAG,
        answers={200: RECEIVED},
        failures=[HTTPStatus.BAD_REQUEST, TOO_LARGE],
        body=OF_SENDER,
        query=[header(signatures.GITHUB, "GitHub's signature.")],
    )
    def post(self, request: Request) -> Response:
        """Take an event; nothing is done for it yet but to say so."""
        refuse_larger(request, MOST_BYTES)
        body, secret = request.body, current().webhooks.github_secret or _refuse_unset("GITHUB_SECRET")
        mark = _checked(lambda: signatures.check_github(secret, body, request.headers))
        try:
            json.loads(body)
        except (ValueError, RecursionError):
            return Response({"detail": "Invalid JSON payload"}, status=HTTPStatus.BAD_REQUEST)
        event = storable(request.headers.get("X-GitHub-Event", "unknown")[:LONGEST_NAME])
        return _replied(
            "github", event, once(_marked("github", mark), lambda: Reply(f"Processed {event} event"))
        )


class Slack(_Foreign):
    """Slack."""

    @operation(
        "receive_slack_webhook",
        tag=TAG,
        answers={200: {"oneOf": [RECEIVED, CHALLENGED]}},
        failures=[TOO_LARGE, WRONG],
        body=OF_SENDER,
        query=[header(signatures.SLACK, "Slack's signature."), header(signatures.SLACK_TIME, "Its time.")],
    )
    def post(self, request: Request) -> Response:
        """Take an event, or prove to Slack that this address is ours."""
        refuse_larger(request, MOST_BYTES)
        raw, second = request.body, int(datetime.now(UTC).timestamp())
        secret = current().webhooks.slack_secret or _refuse_unset("SLACK_SECRET")
        mark = _checked(lambda: signatures.check_slack(secret, raw, request.headers, second=second))
        body = _parsed(raw)
        known: dict[str, Any] = body if isinstance(body, dict) else {}
        if known.get("type") == "url_verification":
            return Response({"challenge": str(known.get("challenge") or "")})
        # Slack signs what it sends again anew; the event's id stays.
        event_id = known.get("event_id")
        marked = _marked("slack", event_id if isinstance(event_id, str) and event_id else mark)
        return _replied("slack", str(known.get("type") or "unknown"), once(marked, lambda: Reply(None)))


class SignedOrMayOperate(BasePermission):
    """Whoever signs is asked for a signature; everybody else for the permission to operate agents."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Tell whether the sender may. Whether a signature is right is found out when the body is read."""
        return signatures.OWN in request.headers or MayOperate().has_permission(request, view)


class _Own(APIView):
    """A route of our own format."""

    permission_classes = (SignedOrMayOperate,)

    def receive(self, request: Request, route: str) -> Response:
        """Take an event."""
        refuse_larger(request, MOST_BYTES)
        raw, mark = request.body, ""
        if signatures.OWN in request.headers:
            secret = current().webhooks.secret or _refuse_unset("SECRET")
            second = int(datetime.now(UTC).timestamp())
            mark = _checked(lambda: signatures.check_own(secret, raw, request.headers, second=second))
        event = read_event(_parsed(raw))
        marked = _marked(route, mark)
        if route == "alert":
            return _replied(route, event.kind, once(marked, lambda: alarm(event)))
        return _replied(route, event.kind, obey(event, _sender(request, event, mark), marked))


class Custom(_Own):
    """Events that may ask for something."""

    @operation(
        "receive_custom_webhook",
        tag=TAG,
        answers={200: RECEIVED},
        failures=[GONE, TAKEN, TOO_LARGE, WRONG],
        body=EventBody,
        query=[SIGNED, REPEATED],
    )
    def post(self, request: Request) -> Response:
        """Take an event and do what it asks for."""
        return self.receive(request, "custom")


class Alert(_Own):
    """Alerts of a monitoring system."""

    @operation(
        "receive_alert_webhook",
        tag=TAG,
        answers={200: RECEIVED},
        failures=[TOO_LARGE, WRONG],
        body=EventBody,
        query=[SIGNED],
    )
    def post(self, request: Request) -> Response:
        """Take an alert; nothing is done for it but to say so in the log."""
        return self.receive(request, "alert")


urlpatterns = [
    path("webhooks/github", GitHub.as_view()),
    path("webhooks/slack", Slack.as_view()),
    path("webhooks/custom", Custom.as_view()),
    path("webhooks/alert", Alert.as_view()),
]


def _sender(request: Request, event: Event, mark: str) -> Sender:
    told = request.headers.get("Idempotency-Key") if event.kind == TRIGGER else None
    request_id = request_id_of(request)
    if mark:
        _refuse_unsigned(told)
        return Sender("webhook:custom", request_id=request_id)
    key = read_key(told)
    return Sender(somebody(request), visible_agents(request.user), key, request_id)


def _marked(route: str, mark: str) -> Marked:
    return Marked(route, mark, datetime.now(UTC))


def _checked(check: Callable[[], str]) -> str:
    try:
        return check()
    except SignatureWrong as error:
        raise AuthenticationFailed(str(error)) from None


def _refuse_unsigned(key: str | None) -> None:
    """Whoever repeats a message of others could send another key with it, and have a second run."""
    if key is not None:
        told = "is not part of what is signed: put it into the body, as data.idempotency_key"
        raise SpecInvalid(errors=[SpecProblem("Idempotency-Key", told)], place="header")


def _refuse_unset(setting: str) -> NoReturn:
    raise AuthenticationFailed(f"This route takes nothing until MONGOCLAW_WEBHOOKS__{setting} is set")


def _parsed(raw: bytes) -> object:
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        raise ParseError("The body is no JSON") from None


def _replied(route: str, kind: str, reply: Reply) -> Response:
    log.info("webhook.received", route=route, event_type=kind, execution_id=reply.execution_id or None)
    run = {"execution_id": reply.execution_id} if reply.execution_id else {}
    return Response({"received": True, "message": reply.message, **run})
