"""The ID graph: which ids belong to one person, and the person's stable `global_user_id`.

Reads core_events and the tables of the ELT contract, writes id_edges, id_graph, id_graph_merges and
id_graph_quarantine. Nothing here knows Dagster except assets.py and checks.py.
"""
