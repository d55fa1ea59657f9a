"""The change-stream process: reads events, puts them on record, publishes them, and keeps the ledger moving."""
