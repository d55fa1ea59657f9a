"""Where people try out what they are about to publish: an agent on a document, a policy on past runs.

Nothing here writes to a document or to the ledger.
"""
