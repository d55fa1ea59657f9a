"""How fast the HTTP API answers programs that ask with an API key."""
