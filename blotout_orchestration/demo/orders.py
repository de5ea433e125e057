"""Orders of the demo shop: their lines and sums, in cents. Belongs here: arithmetic of one order."""

from __future__ import annotations

import random
from dataclasses import dataclass
from decimal import Decimal

from blotout_orchestration.demo.catalogue import (
    FIRST_ORDER_NUMBER,
    FREE_SHIPPING_FROM_CENTS,
    PRODUCTS,
    SHIPPING_CENTS,
    TAX_PERCENT,
    Product,
)
from blotout_orchestration.demo.people import Person


def money(cents: int) -> Decimal:
    """Cents as an amount with two decimals."""
    return Decimal(cents).scaleb(-2)


@dataclass(slots=True)
class Order:
    """One order: `lines` are (product, quantity), sums in cents, `placed_ms` by the true clock."""

    order_id: str
    person: Person
    lines: list[tuple[Product, int]]
    discount: int
    payment: str
    placed_ms: int
    is_online: bool = True

    @property
    def goods(self) -> int:
        """Price of the goods before discount."""
        return sum(product.cents * quantity for product, quantity in self.lines)

    @property
    def shipping(self) -> int:
        """Shipping, free from a certain value on and over the counter."""
        return SHIPPING_CENTS if self.is_online and self.goods < FREE_SHIPPING_FROM_CENTS else 0

    @property
    def tax(self) -> int:
        """Tax on goods after discount, rounded half up."""
        return ((self.goods - self.discount) * TAX_PERCENT + 50) // 100

    @property
    def total(self) -> int:
        """What is paid."""
        return self.goods - self.discount + self.shipping + self.tax

    @property
    def quantity(self) -> int:
        """Units."""
        return sum(quantity for _, quantity in self.lines)


def draw_lines(rng: random.Random, count: int) -> list[tuple[Product, int]]:
    """`count` different products with quantities; never only give-aways."""
    weights = [product.weight for product in PRODUCTS]
    chosen: dict[str, tuple[Product, int]] = {}
    for product in rng.choices(PRODUCTS, weights=weights, k=count):
        chosen[product.item_id] = (product, rng.choices((1, 2, 3), weights=(8, 2, 1))[0])
    if all(product.cents == 0 for product, _ in chosen.values()):
        chosen[PRODUCTS[0].item_id] = (PRODUCTS[0], 1)
    return list(chosen.values())


def draw_discount(rng: random.Random, lines: list[tuple[Product, int]]) -> int:
    """A discount of ten percent for every eighth order, cents."""
    goods = sum(product.cents * quantity for product, quantity in lines)
    return goods // 10 if rng.random() < 0.125 else 0


def order_id(number: int) -> str:
    """The shop's name of its n-th order, from 0."""
    return f"#{FIRST_ORDER_NUMBER + number}"
