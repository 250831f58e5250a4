"""Looks at an installation part by part, and says of each whether it is well and what to do."""
