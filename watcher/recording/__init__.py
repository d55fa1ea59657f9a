"""From events to rows in the ledger."""
