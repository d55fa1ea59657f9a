"""Who may do what: API keys, the groups of users, and how often one may ask."""
