"""Agents: what to watch, what to ask a model, where to write the answer, and within which limits."""
