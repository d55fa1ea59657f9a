"""What happens to one document: prompt, provider, answer, policy, write-back. No Django, no Celery."""
