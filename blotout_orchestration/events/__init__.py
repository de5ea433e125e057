"""The click stream: landing, flattening into core_events, bad events and their replay."""
