"""This system beside MongoClaw 1.0.4 and plain Celery, in one run on the same servers."""
