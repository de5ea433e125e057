"""What is true of any deployment: runs, the Dagster home, variables, queries, the state of connections.

Knows nothing of the domains.
"""
