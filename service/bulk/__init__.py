"""Files of texts in, the same files with scores out: their formats, the journal of a run, and how far it is."""
