"""The story, one verb per file: each flow is one transaction and what follows from it."""
