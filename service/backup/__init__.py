"""Copies of an installation: made while it runs, and put back where nothing runs."""
