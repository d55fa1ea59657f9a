"""What a ledger of a million executions costs those who read it, and those who work by it."""
