"""The jobs that keep the platform healthy: first launch, compaction, cleanup, idle database connections.

Every job makes a plan, reports it, and only then acts, item by item: see plan.py and execution.py.
"""
