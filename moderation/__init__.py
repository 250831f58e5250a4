"""The pure domain: comment text in, verdict out; no HTTP, SQL, Redis, clock or environment."""
