"""The lake tables of segments and funnels: columns, types, meaning.

Belongs here: declarations only. Activation reads `segment_membership`.
"""

from __future__ import annotations

from blotout_orchestration.lake.tables import Column, TableSpec

SEGMENT_MEMBERSHIP = TableSpec(
    "segment_membership",
    "Who is in which segment, and since when: a row a stay. Members now are the rows without left_at.",
    (
        Column("segment", "string", "Name of the segment."),
        Column("version", "long", "Version of the definition under which the person entered."),
        Column("global_user_id", "string", "The person, as in view_users."),
        Column("entered_at", "timestamp", "State of the data at which the person was first seen inside."),
        Column(
            "left_at",
            "timestamp",
            "State of the data at which the person was first seen outside; null while inside.",
        ),
    ),
)

FUNNEL_REPORT = TableSpec(
    "funnel_report",
    "How far people (or sessions) come in each funnel: a row a step. Step 1 counts who started.",
    (
        Column("funnel", "string", "Name of the funnel."),
        Column("version", "long", "Version of the definition."),
        Column("as_of", "timestamp", "State of the data."),
        Column("per", "string", "What is counted: `person` or `session`."),
        Column("step", "int", "Number of the step, from 1; in any order: how many steps."),
        Column("step_name", "string", "Name of the step; in any order: `any N steps`."),
        Column("reached", "long", "Persons or sessions that reached it."),
        Column("dropped", "long", "Those of the step before that did not reach it; 0 for step 1."),
        Column("conversion", "double", "reached / reached of step 1, 0 to 1; null when nobody started."),
        Column(
            "step_conversion",
            "double",
            "reached / reached of the step before, 0 to 1; null when nobody was there.",
        ),
        Column("seconds_p50", "double", "Time from the start of the attempt to the step, median, seconds."),
        Column("seconds_p75", "double", "The same, 75th percentile."),
        Column("seconds_p90", "double", "The same, 90th percentile."),
    ),
)

FUNNEL_DROPOFFS = TableSpec(
    "funnel_dropoffs",
    "Who started a funnel and did not finish it: a row a person (or session), with the step reached.",
    (
        Column("funnel", "string", "Name of the funnel."),
        Column("version", "long", "Version of the definition."),
        Column("as_of", "timestamp", "State of the data."),
        Column("global_user_id", "string", "The person."),
        Column("session_key", "string", "The session, in funnels per session; else null."),
        Column("step", "int", "Last step reached."),
        Column("step_name", "string", "Its name."),
        Column("next_step_name", "string", "Name of the step that did not follow."),
        Column("started_at", "timestamp", "Start of the attempt that reached it."),
        Column("reached_at", "timestamp", "When it was reached."),
        Column("is_window_open", "boolean", "Whether that attempt could still go on at `as_of`."),
    ),
)
