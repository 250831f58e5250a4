"""Loops around flows, each with a life of its own: scoring, delivering, sweeping, and what keeps them observable."""
