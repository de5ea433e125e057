"""From a product to the thank-you page: looking, the cart, the order.

Belongs here: the part of a visit that sells something.
"""

from __future__ import annotations

import random
from base64 import b64encode

from blotout_orchestration.demo.catalogue import CURRENCY, Product
from blotout_orchestration.demo.orders import Order, draw_discount, draw_lines
from blotout_orchestration.demo.story import Story, amount, identify, page_element

_PAYMENTS = ("visa", "paypal", "klarna", "mastercard")


def _encrypted(rng: random.Random) -> dict[str, object]:
    """Shaped as the SDK's encrypted data; the content is random."""
    return {
        "data": b64encode(rng.randbytes(32)).decode(),
        "key": b64encode(rng.randbytes(256)).decode(),
        "iv": rng.randbytes(16).hex(),
    }


def look_at(story: Story, product: Product) -> None:
    """Open a product's page and look at it."""
    story.open(f"/p/{product.item_id}", f"{product.name} | {story.visit.shop_name}")
    rng = story.rng
    if rng.random() < 0.75:
        story.wait()
        value = amount(product.cents)
        story.emit(
            "view_item", "codified", {"item_id": product.item_id, "value": value, "currency": CURRENCY}
        )
    if rng.random() < 0.3:
        story.click("Details", "A.tab")


def add_to_cart(story: Story, product: Product, quantity: int) -> None:
    """Put a product into the cart."""
    story.click("Add to cart", "BUTTON#add.btn.btn-primary")
    story.cart.append((product, quantity))
    story.wait()
    story.emit("add_to_cart", "codified", {
        "item_id": product.item_id, "quantity": quantity, "price": amount(product.cents),
        "cart": {"items": len(story.cart), "coupon": None},
    })  # fmt: skip


def thank(story: Story, order: Order) -> None:
    """The thank-you page: the order and its items; a reload makes the same events under new ids."""
    story.open("/thank-you", f"Thank you! | {story.visit.shop_name}", f"?order=%23{order.order_id[1:]}")
    story.at_ms += 300
    sums = {
        "transaction_total": order.total, "transaction_discount": order.discount,
        "transaction_shipping": order.shipping, "transaction_tax": order.tax,
    }  # fmt: skip
    data: dict[str, object] = {
        "transaction_id": order.order_id,
        "transaction_currency": CURRENCY,
        "transaction_payment": order.payment,
        **{key: amount(cents) for key, cents in sums.items() if cents},
    }
    if story.visit.device.sdk == "edgetag":
        contents = [
            {"id": p.item_id, "quantity": n, "item_price": amount(p.cents), "title": p.name,
             "category": "/".join(p.category), "type": "product"} for p, n in order.lines
        ]  # fmt: skip
        data = {
            "currency": CURRENCY,
            "value": amount(order.total),
            "orderId": order.order_id,
            "contents": contents,
        }
    story.emit("transaction", "codified", data)
    for product, quantity in order.lines:
        item: dict[str, object] = {
            "transaction_id": order.order_id, "item_id": product.item_id, "item_name": product.name,
            "item_sku": product.sku, "item_category": list(product.category),
            "item_price": amount(product.cents), "item_currency": CURRENCY, "item_quantity": quantity,
        }  # fmt: skip
        if not product.cents:
            del item["item_price"]
        story.at_ms += 40
        story.emit("item", "codified", item)


def buy(story: Story) -> Order | None:
    """From the cart to the thank-you page."""
    rng, person = story.rng, story.visit.person
    if person is None:
        return None
    lines = draw_lines(rng, rng.choices((1, 2, 3, 4), weights=(10, 6, 3, 1))[0])
    for product, quantity in lines:
        look_at(story, product)
        add_to_cart(story, product, quantity)
        story.wait()
    story.open("/cart", f"Your Cart | {story.visit.shop_name}")
    story.wait()
    story.open("/checkout", f"Checkout | {story.visit.shop_name}")
    discount = draw_discount(rng, lines)
    order = Order("", person, lines, discount, rng.choice(_PAYMENTS), 0)
    story.wait()
    story.emit("begin_checkout", "codified", {"value": amount(order.total), "step": 1})
    story.wait()
    with_persona = rng.random() < 0.5
    with_email = (not person.customer_id and not with_persona) or rng.random() < 0.35
    identify(story, with_email=with_email, with_persona=with_persona)
    if rng.random() < 0.03:
        story.emit("checkout_email", "pii", _encrypted(rng))
        story.emit("health_note", "phi", _encrypted(rng))
    story.wait()
    story.emit("submit", "system", page_element(rng, "Pay now", "FORM#f"))
    story.wait()
    order.order_id = story.next_order_id()
    order.placed_ms = story.at_ms
    thank(story, order)
    if rng.random() < 0.03:
        story.wait()
        story.url = ""
        thank(story, order)
    return order
