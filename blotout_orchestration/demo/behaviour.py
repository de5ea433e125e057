"""What happens in one visit: pages, products, odd events, log-ins, an order at the end or none.

Belongs here: the course of a visit. How an SDK writes it down is in bodies.py. Gaps between events stay below
the 30 minutes that end a session.
"""

from __future__ import annotations

from blotout_orchestration.demo.catalogue import CATEGORIES, PRODUCTS
from blotout_orchestration.demo.checkout import add_to_cart, buy, look_at, thank
from blotout_orchestration.demo.orders import Order
from blotout_orchestration.demo.story import Story, identify

SLIGHT_CLOCK_ERROR_MS = 60_000


def _odd_event(story: Story) -> None:
    """A custom event as shops send them: any name, any data, changing from event to event."""
    rng = story.rng
    choices: tuple[tuple[str | int, dict[str, object]], ...] = (
        ("newsletter_signup", {"list": "weekly", "ok": True}),
        ("quiz_answer", {"question": rng.randint(1, 9), "answer": rng.choice((4, "four", ["4", 4], None))}),
        ("say", {str(index): letter for index, letter in enumerate("hello")}),
        ("wishlist", {"items": [{"id": "TOY-004", "since": "2026-01-05"}], "nested": {"a": {"b": [1, 2.5]}}}),
        ("quote_requested", {"item_id": "TOY-004", "item_price": "on request"}),
        (42, {"answer": 42}),
    )
    name, data = rng.choices(choices, weights=(4, 2, 1, 1, 1, 1))[0]
    story.emit(name, "codified", data)


def tell(story: Story, reloaded: Order | None) -> Order | None:
    """Fill the visit with events; returns the order it ended with, if any.

    `reloaded` is an order whose thank-you page still lies open on this device and is loaded again first.
    """
    rng, visit = story.rng, story.visit
    person = visit.person
    story.is_spa = visit.device.sdk in ("0.9.1", "0.10.2") and person is not None and rng.random() < 0.06
    prefix = "/app" if story.is_spa else ""
    if reloaded is not None and not story.is_spa:
        thank(story, reloaded)
        story.wait()
    landing = rng.random()
    if landing < 0.45:
        story.open(f"{prefix}/", visit.home_title, visit.query)
    elif landing < 0.75:
        category = rng.choice(CATEGORIES)
        title = f"{category.title()} | {visit.shop_name}"
        story.open(f"{prefix}/c/{category}", title, visit.query)
    else:
        product = rng.choice(PRODUCTS)
        story.open(f"{prefix}/p/{product.item_id}", f"{product.name} | {visit.shop_name}", visit.query)
    if person is None:
        for product in rng.sample(PRODUCTS, rng.randint(1, 5)):
            story.at_ms += rng.randint(900, 4_000)
            story.url = ""
            story.open(f"/p/{product.item_id}", f"{product.name} | {visit.shop_name}")
        return None
    if person.customer_id and rng.random() < (0.6 if visit.device.platform != "web" else 0.28):
        story.wait()
        identify(story)
    views = min(12, int(rng.expovariate(0.36)))
    for _ in range(views):
        if story.is_over:
            break
        story.wait()
        product = rng.choices(PRODUCTS, weights=[choice.weight for choice in PRODUCTS])[0]
        if story.is_spa:
            story.open(f"/app/p/{product.item_id}", f"{product.name} | App")
        else:
            look_at(story, product)
        if rng.random() < 0.12:
            add_to_cart(story, product, 1)
    if rng.random() < 0.08:
        story.wait()
        _odd_event(story)
    maybuy = abs(visit.device.clock_ms) < SLIGHT_CLOCK_ERROR_MS or visit.device.has_far_clock
    if not maybuy or story.is_spa or story.is_over or rng.random() > visit.entry.conversion:
        return None
    story.wait()
    return buy(story)
