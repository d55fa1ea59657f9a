"""What the watcher says of itself: metrics, readiness, and all streams at a glance."""
