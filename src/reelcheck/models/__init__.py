"""Model cards, where their weights lie, and how they are run."""

import os

# ONNX Runtime 1.32 tells Microsoft of its use as soon as it is imported, and its own
# ``disable_telemetry_events`` comes too late for that. What is watched here is nobody's business.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
