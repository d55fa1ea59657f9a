"""Telling another system what somebody has to look at (ADR 0032)."""
