"""Who works: leases, terms, and a fair share of the streams for each living watcher."""
