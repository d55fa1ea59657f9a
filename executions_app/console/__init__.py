"""The console at `/ui`: what happens now, on one page. Each panel is a fragment with an address of its own."""
