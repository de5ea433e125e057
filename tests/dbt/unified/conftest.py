"""The shop that most tests of the unified layer look at, built once."""

from __future__ import annotations

import pytest

from blotout_orchestration.elt.contract import CRM_PROFILES, OFFLINE_EVENTS
from blotout_orchestration.id_graph.contract import ID_GRAPH
from blotout_orchestration.lake import Lake
from blotout_orchestration.settings import Settings

from . import shop


@pytest.fixture(scope="session")
def built_shop(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A shop with two browsers of one customer, a robot, orders online and offline, and a refund."""
    home = tmp_path_factory.mktemp("shop")
    lake = Lake(Settings(_env_file=None, blotout_home=home, organisation="shop", environment="test"))
    ada, phone = {"user_id": "laptop", "session_id": "1"}, {"user_id": "phone", "session_id": "2"}
    shop.land(
        lake,
        [
            # The first request of the browser has no cookie yet; its SDK session tells whose it is.
            shop.event(
                "a1", 0, session_id="1", search_utm_campaign="spring", channel="Paid Search", search_gclid="G"
            ),
            shop.event("a2", 2, page_url="https://www.shop.example/toys", page_path="/toys", **ada),
            shop.transaction("a3", 12, "1001", "20.00", **ada),
            shop.transaction("a4", 14, "1001", "20.00", **ada),
            shop.event("a5", 300, persona_firstname="Ada?", persona_username="ada", **ada),
            shop.event("p1", 600, channel="Direct", country="DE", **phone),
            shop.transaction("p2", 610, "1002", "30.00", **phone),
            shop.transaction("p3", 611, None, "5.00", **phone),
            shop.event("r1", 50, user_id="crawler", is_bot=True),
            shop.transaction("r2", 51, "6666", "9.00", user_id="crawler", is_bot=True),
            shop.event("n1", 70, user_agent="Opera"),
        ],
    )
    person = {"person_id": "77", "person_id_type": "map_id", "person_id_provider": "Shopify"}
    shop.set_rows(
        lake,
        OFFLINE_EVENTS,
        [
            shop.offline_order("x1", 11, "1001", "18.50", **person),
            shop.offline_order("x2", 900, "2001", "40.00", **person),
            shop.offline_order("x3", 1000, "2001", "-40.00", event_name="order_refunded", **person),
            shop.offline_order("x4", 1100, "3001", "7.00"),
        ],
    )
    later = shop.at(2000)
    shop.set_rows(
        lake,
        CRM_PROFILES,
        [
            shop.profile("77", first_name="Ada", city="Bonn", email="Ada@Example.org"),
            shop.profile(
                "77", first_name="Ada", city="Köln", email="Ada@Example.org", etl_run_datetime=later
            ),
            shop.profile(
                "88",
                source_name="crm",
                profile_id_provider="crm",
                email="ADA@example.org",
                phone="+49 1",
                updated_at=later,
            ),
            shop.profile("99", first_name="Bob"),
        ],
    )
    shop.set_rows(
        lake,
        ID_GRAPH,
        [
            shop.known_id("user_id", "laptop", "person-ada"),
            shop.known_id("user_id", "phone", "person-ada"),
            shop.known_id("map_id", "77", "person-ada", "shopify"),
            shop.known_id("email", "ada@example.org", "person-ada"),
        ],
    )
    shop.build(lake, "build")
    return lake
