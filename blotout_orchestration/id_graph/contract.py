"""The tables of the ID graph: columns, types, meaning.

Belongs here: declarations only. A node is (id_type, provider, id); provider is null except for `map_id`.
"""

from __future__ import annotations

from blotout_orchestration.lake.tables import Column, TableSpec

CLICK_ID_TYPES = ("gclid", "fbclid", "twclid", "ttclid", "msclkid")
"""Click ids that core_events carries, by their URL parameter; also their node type."""
STORED_CLICK_ID_TYPES = ("gclid", "fbclid")
"""Those that core_events carries of earlier landings besides."""

NODE_TYPES = ("user_id", "map_id", "email", "email_sha256", "phone", "phone_sha256", *CLICK_ID_TYPES)
"""Every node type, the strongest evidence of a person not first: priorities are in the rules."""

ID_EDGES = TableSpec(
    "id_edges",
    "Evidence: one row a pair of ids, source and batch; a row without id_b says only that id_a was seen.",
    (
        Column("batch", "string", "Unit of replacement: `core_events/<hour>` or `<table>/<source>`."),
        Column("batch_hour", "timestamp", "Hour of arrival of an events batch; null for ELT batches."),
        Column("source", "string", "What said so, e.g. `core_events.map_id`, `crm_profiles.shopify`."),
        Column("id_a_type", "string", "Type of the first id."),
        Column("id_a_provider", "string", "Provider of the first id; null except for `map_id`."),
        Column("id_a", "string", "First id, normalised."),
        Column("id_b_type", "string", "Type of the second id; null when id_a was seen alone."),
        Column("id_b_provider", "string", "Provider of the second id; null except for `map_id`."),
        Column("id_b", "string", "Second id, normalised; null when id_a was seen alone."),
        Column("first_seen", "timestamp", "First time the batch saw the pair together."),
        Column("last_seen", "timestamp", "Last time the batch saw the pair together."),
        Column("count", "long", "Rows of the batch that said so."),
    ),
    partition=("batch_hour", "day"),
)

ID_GRAPH = TableSpec(
    "id_graph",
    "Every id and the person it belongs to now.",
    (
        Column("id", "string", "The id, normalised."),
        Column("id_type", "string", "`user_id`, `map_id`, `email`, `email_sha256`, `phone`, `gclid` ..."),
        Column("provider", "string", "System that gave a `map_id`; null for the other types."),
        Column("global_user_id", "string", "The person: stable, kept by the older one on a merge."),
        Column("first_seen", "timestamp", "First time any source saw the id."),
        Column("last_seen", "timestamp", "Last time any source saw the id."),
        Column("sources", "strings", "What saw it, sorted."),
        Column("links", "long", "Rows of evidence that link it to another id."),
        Column("component_id", "string", "Id of everything connected, before rules split it into people."),
        Column("is_canonical", "boolean", "The oldest id of its person, from which global_user_id is made."),
    ),
)

ID_GRAPH_MERGES = TableSpec(
    "id_graph_merges",
    "Redirects: every global_user_id that is no longer in use, and the one that holds its oldest id now.",
    (
        Column("old_global_user_id", "string", "The id that is no longer in use. Unique."),
        Column(
            "new_global_user_id", "string", "The current id; null when its oldest id is in no source now."
        ),
        Column("merged_at", "timestamp", "Time of the evidence that joined the two, not of the run."),
        Column("why", "string", "Source of that evidence, `oldest id changed`, or `ids are gone`."),
        Column("evidence_a_type", "string", "Type of the first id of that evidence."),
        Column("evidence_a", "string", "First id of that evidence."),
        Column("evidence_b_type", "string", "Type of the second id of that evidence."),
        Column("evidence_b", "string", "Second id of that evidence."),
        Column("old_id_type", "string", "Type of the oldest id of the old person."),
        Column("old_provider", "string", "Provider of the oldest id of the old person."),
        Column("old_id", "string", "Oldest id of the old person; where it is now, the redirect points."),
        Column("run_id", "string", "Run that wrote the row; not part of its meaning."),
    ),
)

ID_GRAPH_QUARANTINE = TableSpec(
    "id_graph_quarantine",
    "Evidence that was not followed, and why.",
    (
        Column("component_id", "string", "Component it belongs to; null for blocked ids."),
        Column("reason", "string", "`super_node`, `limit`, `giant_component` or `blocked`."),
        Column("detail", "string", "The rule and the figure that broke it."),
        Column("id_a_type", "string", "Type of the id, or of the first id of the link."),
        Column("id_a_provider", "string", "Its provider."),
        Column("id_a", "string", "The id, or the first id of the link."),
        Column("id_b_type", "string", "Type of the second id of a link that was not followed."),
        Column("id_b_provider", "string", "Its provider."),
        Column("id_b", "string", "Second id of a link that was not followed."),
        Column("seen_at", "timestamp", "First time the evidence was seen."),
    ),
)

ID_GRAPH_BATCHES = TableSpec(
    "id_graph_batches",
    "What the ID graph holds: the revision of every batch, the rules' hash, and a mark while a run writes.",
    (
        Column("batch", "string", "Batch as in id_edges; `#rules` and `#writing` are the run's own rows."),
        Column("revision", "string", "Revision of the batch that the graph holds."),
    ),
)

ID_GRAPH_BLOCKS = TableSpec(
    "id_graph_blocks",
    "Ids that an operator has blocked: they and their links are left out of the graph.",
    (
        Column("id_type", "string", "Type of the id; null blocks the id in every type."),
        Column("id", "string", "The id, normalised."),
        Column("reason", "string", "Why, as the operator wrote it."),
    ),
)
