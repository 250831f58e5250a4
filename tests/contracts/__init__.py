"""Contracts: what a store, a queue and their fakes promise alike."""
