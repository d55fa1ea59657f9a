"""Webhooks that other systems send: whose they are, that none acts twice, and what they do (ADR 0032)."""
