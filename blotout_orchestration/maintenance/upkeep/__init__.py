"""Upkeep of Dagster itself: old runs purged, dead runs failed, failed partitions found, a heartbeat.

Belongs here: what Dagster's own retention and monitoring leave to its operator. Does not belong here: the
lake (`compression`) and temporary tables (`cleanup_temp_tables`).
"""
