"""What the demo shop sells and how people come to it: products, pages, countries, entries by channel.

Belongs here: the tables that the other parts draw from. Channels carry the name of GA4's default channel
grouping, which is what the pipeline is expected to find.
"""

from __future__ import annotations

from dataclasses import dataclass

SHOP_HOST = "www.toyshop.example"
OUTLET_HOST = "outlet.toyshop.example"
COLLECTOR_HOST = "data.toyshop.example"
EDGE_HOST = "edge.toyshop.example"
CURRENCY = "USD"
TAX_PERCENT = 8
SHIPPING_CENTS = 499
FREE_SHIPPING_FROM_CENTS = 5_000
FIRST_ORDER_NUMBER = 1001


@dataclass(frozen=True)
class Product:
    """One article; price in cents, 0 for a give-away."""

    item_id: str
    name: str
    category: tuple[str, str]
    cents: int
    weight: int

    @property
    def sku(self) -> str:
        """Stock keeping unit."""
        return f"SKU-{self.item_id[-3:]}-BLU"


PRODUCTS = (
    Product("TOY-001", "Wooden Train Set", ("Toys", "Trains"), 4_995, 5),
    Product("TOY-002", "Plush Bear 40 cm", ("Toys", "Plush"), 1_999, 7),
    Product("TOY-003", "Puzzle 1000 pcs", ("Toys", "Puzzles"), 1_450, 7),
    Product("TOY-004", "Racing Drone", ("Toys", "Outdoor"), 12_900, 2),
    Product("TOY-005", "Board Game “Islands & Co”", ("Toys", "Board-Games"), 3_490, 5),
    Product("TOY-006", "Free sticker", ("Gifts", "Gifts"), 0, 1),
    Product("TOY-007", "Building Bricks®, 500 pcs", ("Toys", "Bricks"), 5_900, 4),
    Product("TOY-008", "Marble Run", ("Toys", "Bricks"), 2_750, 4),
)
CATEGORIES = ("gifts", "trains", "plush", "puzzles", "outdoor", "board-games", "bricks")


@dataclass(frozen=True)
class Entry:
    """One way into the shop.

    `conversion` is the probability that a visit which comes this way ends with an order; `campaigns` are the
    values of utm_campaign; `click_id` is the parameter that the platform adds; `spend` is (platform,
    utm_source, utm_medium, mean daily spend in cents of each campaign) when it is paid for.
    """

    name: str
    channel: str
    weight: int
    conversion: float
    referrer: str | None = None
    source: str | None = None
    medium: str | None = None
    campaigns: tuple[str, ...] = ()
    click_id: str | None = None
    platform: str | None = None
    daily_cents: int = 0


ENTRIES = (
    Entry("google_cpc", "Paid Search", 20, 0.11, "https://www.google.com/", "google", "cpc",
          ("spring_sale", "brand_search"), "gclid", "google", 6_400),
    Entry("facebook_paid", "Paid Social", 16, 0.05, "https://l.facebook.com/", "facebook", "paid_social",
          ("Prospecting | US", "Retargeting | US"), "fbclid", "facebook", 5_200),
    Entry("tiktok_paid", "Paid Social", 9, 0.02, "https://www.tiktok.com/", "tiktok", "paid",
          ("creator_video",), "ttclid", "tiktok", 3_900),
    Entry("newsletter", "Email", 11, 0.14, None, "klaviyo", "email", ("newsletter_2026_q1", "back_in_stock")),
    Entry("google_organic", "Organic Search", 18, 0.07, "https://www.google.com/"),
    Entry("instagram", "Organic Social", 7, 0.03, "https://l.instagram.com/", "ig", "social",
          ("link_in_bio",), "fbclid"),
    Entry("partner_blog", "Referral", 5, 0.05, "https://blog.partner.example/blog/best-toys"),
    Entry("direct", "Direct", 20, 0.10),
)  # fmt: skip
DIRECT = ENTRIES[-1]

UNVISITED_CAMPAIGN = ("google", "google", "cpc", "video_awareness", 2_100)
"""A campaign that costs money and brings nobody: platform, source, medium, name, daily spend in cents."""


@dataclass(frozen=True)
class Country:
    """Where people live; the offset is minutes east of UTC, without daylight saving.

    Phone numbers are of the range that the North American plan keeps for fiction (555-01xx).
    """

    code: str
    weight: int
    offset_minutes: int
    language: str
    cities: tuple[tuple[str, str, str], ...]
    phone_prefixes: tuple[str, ...]


COUNTRIES = (
    Country("US", 60, -300, "en-US",
            (("Springfield", "IL", "62701"), ("Portland", "OR", "97201"), ("Austin", "TX", "73301"),
             ("Boston", "MA", "02108"), ("Denver", "CO", "80202")),
            tuple(f"+1{area}55501" for area in (202, 206, 212, 213, 214, 303, 305, 312, 404, 415, 503, 512,
                                                 602, 617, 619, 702, 713, 718, 801, 813, 816, 901, 916, 919))),
    Country("CA", 12, -300, "fr-CA", (("Toronto", "ON", "M5H 2N2"), ("Vancouver", "BC", "V5K 0A1")),
            tuple(f"+1{area}55501" for area in (403, 416, 514, 604, 613, 780, 902))),
    Country("GB", 16, 0, "en-GB", (("London", "", "EC1A 1BB"), ("Leeds", "", "LS1 1UR")), ()),
    Country("DE", 12, 60, "de-DE", (("Berlin", "BE", "10115"), ("Hamburg", "HH", "20095")), ()),
)  # fmt: skip

FIRST_NAMES = ("Ada", "Bo", "Carla", "Dmitri", "Elif", "Fatima", "Grace", "Hana", "Ines", "Jonas", "Kofi",
               "Lena", "Mateo", "Nadia", "Omar", "Priya", "Quinn", "Rosa", "Sven", "Tariq", "Uma", "Viktor",
               "Wanda", "Xin", "Yara", "Zoë")  # fmt: skip
LAST_NAMES = ("Abbott", "Baker", "Castro", "Diaz", "Evans", "Fischer", "Garcia", "Huang", "Ivanov", "Jensen",
              "Khan", "Lopez", "Müller", "Novak", "O'Neil", "Patel", "Quist", "Rossi", "Schmidt", "Tanaka",
              "Ueda", "Vogel", "Weber", "Xu", "Young", "Zhang")  # fmt: skip

EDGE_EVENT_NAMES = {
    "sdk_start": "PageView",
    "view_item": "ViewContent",
    "add_to_cart": "AddToCart",
    "begin_checkout": "InitiateCheckout",
    "transaction": "Purchase",
    "newsletter_signup": "Lead",
}
"""What EdgeTag calls the events that it sends; it does not see the others."""
