"""The application around the moderation domain: API, workers, store and queue."""

import os

VERSION = "0.1.0"
"""The version of the code, as in pyproject.toml."""

# onnxruntime reads it when it is imported. It would keep an id of this machine in ~/.cache, collect events and send
# them to its maker; and nothing leaves an installation unless its operator says so.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
