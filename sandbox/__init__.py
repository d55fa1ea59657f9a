"""The local system for development, demo and tests: real servers, a stand-in model, a supervisor."""
