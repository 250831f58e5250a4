"""The demo that `python -m service demo` starts, and the discussion that is sent to it."""
