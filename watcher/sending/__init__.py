"""From rows to messages in the broker, and back where one is lost."""
