"""The tables of activation: what each channel holds of us, what each sync did, what became of each row.

Belongs here: declarations only. People appear as keyed hashes (hashing.py), with one exception that is personal
data: `removal_key` of the ledger, see its column.
"""

from __future__ import annotations

from blotout_orchestration.lake.tables import Column, TableSpec

ACTIVATION_LEDGER = TableSpec(
    "activation_ledger",
    "What we delivered: append log, the row of a channel and key with the highest version holds.",
    (
        Column("channel", "string", "Channel."),
        Column("key_hash", "string", "Keyed hash of the row's key."),
        Column("version", "long", "Number of the channel's sync that wrote the row."),
        Column("state", "string", "`delivered`, `removed`, `rejected`, `unknown` (sent, no answer seen)."),
        Column("operation", "string", "Last operation: `upsert`, `update`, `create`, `append`, `delete`."),
        Column(
            "held_hash", "string", "Hash of the values that the destination holds; null when it has none."
        ),
        Column("tried_hash", "string", "Hash of the values that were sent last."),
        Column("attempts", "int", "Rejections in a row of these values."),
        Column("reason", "string", "Why the destination rejected it; without the row's values."),
        Column(
            "removal_key",
            "string",
            "The key as the destination knows it, where a removal needs it. Meta: the unkeyed SHA-256 of e-mail or"
            " phone, the plain external_id or mobile advertiser id. Personal data; null once removed.",
        ),
        Column("batch", "string", "Idempotency key of the batch; of an unknown row, to send the same again."),
        Column("run_id", "string", "Run that sent it."),
        Column("recorded_at", "timestamp", "When the answer was recorded."),
    ),
    partition=("channel", "identity"),
)

ACTIVATION_RUNS = TableSpec(
    "activation_runs",
    "One row a sync: source_rows = sent + unchanged + invalid + unsent, sent + removed = accepted + rejected.",
    (
        Column("channel", "string", "Channel."),
        Column("run_id", "string", "Run of the sync."),
        Column("channel_type", "string", "Type of the channel."),
        Column("mode", "string", "Mode of the channel."),
        Column("state", "string", "`succeeded`, `failed`, `cancelled`, `held` (guard), `killed`."),
        Column("started_at", "timestamp", "Start."),
        Column("finished_at", "timestamp", "End; of a killed sync when the next one found it."),
        Column("withheld", "long", "Rows of the audience left out for consent or suppression."),
        Column("source_rows", "long", "Rows of the audience, withheld ones left out."),
        Column("sent", "long", "Of them sent and answered."),
        Column("unchanged", "long", "Of them not sent, because the destination has them as they are."),
        Column("invalid", "long", "Of them not sent, because key or values cannot be used, or given up."),
        Column("unsent", "long", "Of them due but not answered: failed, cancelled or killed before."),
        Column("removed", "long", "Removals sent and answered; not rows of the audience."),
        Column("accepted", "long", "Rows and removals that the destination took."),
        Column("rejected", "long", "Rows and removals that it refused."),
        Column(
            "matched", "long", "People that the destination says it matched or holds; null when it does not."
        ),
        Column("held", "long", "People that the destination holds by our ledger, after the sync."),
        Column("batches", "long", "Batches answered."),
        Column("message", "string", "Why it failed or was held; null otherwise."),
    ),
    partition=("started_at", "day"),
)

ACTIVATION_OUTCOMES = TableSpec(
    "activation_outcomes",
    "One row a row that a sync sent or could not send.",
    (
        Column("channel", "string", "Channel."),
        Column("run_id", "string", "Run of the sync."),
        Column("key_hash", "string", "Keyed hash of the row's key; null for a row without one."),
        Column("operation", "string", "What was asked of the destination; null when nothing was sent."),
        Column("outcome", "string", "`accepted`, `rejected` (by the destination), `invalid` (not sent)."),
        Column("reason", "string", "Why not, without the row's values."),
        Column("batch", "string", "Idempotency key of the batch; null when nothing was sent."),
        Column("recorded_at", "timestamp", "When it was recorded."),
    ),
    partition=("recorded_at", "day"),
)

ACTIVATION_STATS = TableSpec(
    "activation_stats",
    "One row a channel and day: its syncs summed, the destination's own count, and the drift between them.",
    (
        Column("date", "date", "Day on which the syncs started, UTC."),
        Column("channel", "string", "Channel."),
        Column("channel_type", "string", "Type of the channel."),
        Column("syncs", "long", "Syncs of the day."),
        Column("failed_syncs", "long", "Of them failed, held or killed."),
        Column("source_rows", "long", "Rows of the audiences, withheld ones left out."),
        Column("withheld", "long", "Rows left out for consent or suppression."),
        Column("sent", "long", "Rows sent and answered."),
        Column("unchanged", "long", "Rows not sent, because the destination has them as they are."),
        Column("invalid", "long", "Rows not sent, because they cannot be used."),
        Column("unsent", "long", "Rows due but not answered."),
        Column("removed", "long", "Removals sent and answered."),
        Column("accepted", "long", "Rows and removals that the destination took."),
        Column("rejected", "long", "Rows and removals that it refused."),
        Column("outcome_accepted", "long", "Accepted rows in activation_outcomes; equals `accepted`."),
        Column("outcome_rejected", "long", "Rejected rows in activation_outcomes; equals `rejected`."),
        Column("outcome_invalid", "long", "Invalid rows in activation_outcomes; equals `invalid`."),
        Column(
            "matched", "long", "Newest count that the destination told on that day; null when it does not."
        ),
        Column("held", "long", "People held by our ledger after the day's last sync."),
        Column("drift", "long", "matched - held; null when the destination tells no count."),
    ),
    partition=("date", "day"),
)

TABLES = (ACTIVATION_LEDGER, ACTIVATION_RUNS, ACTIVATION_OUTCOMES)
