"""The Celery side: one thin task over the pipeline of a run, and what decides about its failures."""
