"""Activation: the people of a segment or model, delivered to a destination, and what became of each row.

Reads segment_membership and the published warehouse, writes activation_ledger, activation_runs,
activation_outcomes and activation_stats. Nothing here knows Dagster except assets.py, checks.py and automation.py.
"""
