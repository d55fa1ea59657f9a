"""The watcher's figures: how fast events reach ledger and broker, what it costs to be idle, what it holds."""
