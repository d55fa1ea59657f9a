"""Reading a stream: where it begins, what comes, how far it is, and what to do when it breaks."""
