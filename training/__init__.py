"""Scripts that make the shipped weights from public data; they import moderation, and nothing imports them."""
