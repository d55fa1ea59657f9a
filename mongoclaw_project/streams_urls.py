"""The addresses of the HTTP API of change streams."""

from __future__ import annotations

from django.urls import path

from mongoclaw_project.streams_api import StreamDetail, Streams
from mongoclaw_project.streams_replay_api import Replay
from mongoclaw_project.streams_steering_api import Partition, Pause, Position, Resume

urlpatterns = [
    path("streams", Streams.as_view()),
    path("streams/<str:database>", StreamDetail.as_view()),
    path("streams/<str:database>/pause", Pause.as_view()),
    path("streams/<str:database>/resume", Resume.as_view()),
    path("streams/<str:database>/partition", Partition.as_view()),
    path("streams/<str:database>/position", Position.as_view()),
    path("streams/<str:database>/replay", Replay.as_view()),
]
