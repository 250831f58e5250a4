"""The application around the moderation domain: API, workers, store and queue."""
