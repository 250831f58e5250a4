"""What the benches compute is held to plain definitions."""
