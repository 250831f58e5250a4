"""The application around the moderation domain: API, workers, store and queue."""

VERSION = "0.1.0"
"""The version of the code, as in pyproject.toml."""
