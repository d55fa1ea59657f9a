"""Which agents an event is for."""
