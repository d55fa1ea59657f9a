"""What Prometheus is told: every metric declared once, and those of the fleet computed from SQL and Redis."""
