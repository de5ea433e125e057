"""An import whose answer was lost must not be applied after what is sent later."""

from __future__ import annotations

from tests.activation.helpers import people, person


def test_a_lost_import_is_waited_for_before_the_next_values_go_out(lake, klaviyo, to_klaviyo, sync):
    people(lake, [person("ada", "Old")])
    klaviyo.faults.append("lost")
    sync(to_klaviyo(), "first")
    assert (len(klaviyo.jobs), all(job.done for job in klaviyo.jobs)) == (2, True)
    people(lake, [person("ada", "New")])
    sync(to_klaviyo(), "second")
    klaviyo.members()
    assert klaviyo.profiles[klaviyo.by_email["ada@example.com"]]["first_name"] == "New"


def test_without_a_lost_answer_nobody_elses_jobs_are_waited_for(lake, klaviyo, to_klaviyo, sync):
    people(lake, [person("ada")])
    sync(to_klaviyo(), "first")
    assert not [one for one in klaviyo.requests if "filter" in one.query and "bulk" in one.path]
