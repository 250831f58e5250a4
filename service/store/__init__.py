"""SQL only: the truth. Every query names its site; one transaction per request or task."""
