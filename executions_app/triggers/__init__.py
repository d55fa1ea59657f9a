"""Runs that somebody asks for by name, without a change that a stream has seen (ADR 0032)."""
