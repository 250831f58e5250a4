"""What the claims of speed stand on: each file prints a table and writes bench/results/*.json."""
