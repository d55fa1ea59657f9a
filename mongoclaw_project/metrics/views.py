"""The address that Prometheus and the clients' `get_metrics` ask."""

from __future__ import annotations

import functools
import time
from collections.abc import Iterable
from datetime import UTC, datetime

from django.http import Http404, HttpResponse
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.views import APIView

from executions_app.limits import Limiter
from executions_app.limits.limiter import connect
from executions_app.metrics.info import CONTENT_TYPE, process_metrics, written
from executions_app.metrics.scrape import Fleet
from executions_app.routes import Routes
from mongoclaw_project.config import current
from mongoclaw_project.metrics.access import MayReadMetrics
from mongoclaw_project.metrics.streams import of_streams


class _OneForm(BaseContentNegotiation):
    """Metrics have one form, whatever a client would like."""

    def select_parser(self, request: Request, parsers: Iterable[BaseParser]) -> BaseParser:  # noqa: ARG002
        return next(iter(parsers))

    def select_renderer(
        self,
        request: Request,  # noqa: ARG002
        renderers: Iterable[BaseRenderer],
        format_suffix: str | None = None,  # noqa: ARG002
    ) -> tuple[BaseRenderer, str]:
        first = next(iter(renderers))
        return first, first.media_type


class Metrics(APIView):
    """All metrics of this process and of the fleet."""

    permission_classes = (MayReadMetrics,)
    content_negotiation_class = _OneForm
    schema = None

    def get(self, request: Request) -> HttpResponse:  # noqa: ARG002  # the framework's signature
        """Write them."""
        if not current().observability.metrics_enabled:
            raise Http404
        body = process_metrics() + written(fleet())
        return HttpResponse(body, content_type=CONTENT_TYPE, headers={"Cache-Control": "no-store"})


@functools.cache
def fleet() -> Fleet:
    """The collector of this process."""
    settings = current()
    worker = settings.worker
    patience = worker.heartbeat_timeout_seconds
    return Fleet(
        routes=Routes(settings, monotonic=time.monotonic),
        limiter=Limiter(connect(settings.redis.url), lease_seconds=patience, monotonic=time.monotonic),
        patience=patience,
        agents=settings.observability.metrics_agents,
        consumer_group=settings.redis.consumer_group,
        per_slot=worker.window_per_slot,
        now=lambda: datetime.now(UTC),
        more={"mongodb": of_streams},
    )
