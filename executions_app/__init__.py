"""Executions: the ledger, where every (agent, event) pair is a row before anything else happens to it."""
