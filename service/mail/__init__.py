"""Letters and one attempt to send one; no SQL, no Redis."""
