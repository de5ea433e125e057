"""A Shopify that serves recorded payloads: cursor pagination, its limits, its faults.

A stand-in at the edge of the network only; what is asked of it goes through the whole of our own code.
"""

from __future__ import annotations

import copy
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

TOKEN = "token-of-the-fake"
Record = dict[str, Any]


def recorded(folder: Path, name: str) -> list[Record]:
    """The records of one recorded answer."""
    found = json.loads((folder / "shopify" / f"{name}.json").read_text(encoding="utf-8"))
    if isinstance(found, dict):
        found = next(iter(found.values()))
    return list(found) if isinstance(found, list) else [found]


def copies(record: Record, count: int, start: str = "2026-03-01T09:00:00-05:00") -> list[Record]:
    """Copies of a recorded record with ids and times of their own, an hour apart."""
    first = datetime.fromisoformat(start)
    made = []
    for number in range(count):
        one = copy.deepcopy(record)
        one["id"] = record["id"] + number
        one["updated_at"] = one["created_at"] = (first + timedelta(hours=number)).isoformat()
        made.append(one)
    return made


class Shop:
    """The shop's records by resource, the requests it had, and the faults that it will have."""

    def __init__(self) -> None:
        self.records: dict[str, list[Record]] = {
            name: [] for name in ("customers", "orders", "products", "checkouts")
        }
        self.refunds: dict[int, list[Record]] = {}
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.served: Counter[str] = Counter()
        self.faults: list[tuple[str, int, str]] = []
        """(resource, number of its page from 1, `429`, `502`, `cut` or `401`), each happens once."""
        self.before_page: Callable[[str, int], None] = lambda resource, page: None
        self.page_size = 2
        self.address = ""

    def fault(self, resource: str, page: int) -> str | None:
        for one in self.faults:
            if one[:2] == (resource, page):
                self.faults.remove(one)
                return one[2]
        return None

    def page(self, path: str, query: dict[str, str]) -> tuple[str, list[Record], str | None]:
        """(resource, records, cursor of the next page). The cursor is the last id, as Shopify's is."""
        parts = path.strip("/").removesuffix(".json").split("/")
        if len(parts) == 3:
            return "refunds", self.refunds.get(int(parts[1]), []), None
        rows = sorted(self.records[parts[0]], key=lambda one: one["id"])
        if "page_info" in query:
            cursor = json.loads(query["page_info"])
        else:
            cursor = {"since": query.get("updated_at_min"), "after": 0, "page": 1}
        since = cursor["since"] and datetime.fromisoformat(cursor["since"].replace(" ", "+"))
        left = [
            one
            for one in rows
            if one["id"] > cursor["after"]
            and (since is None or datetime.fromisoformat(one["updated_at"]) >= since)
        ]
        page, rest = left[: self.page_size], left[self.page_size :]
        following = (
            {"since": cursor["since"], "after": page[-1]["id"], "page": cursor["page"] + 1} if rest else None
        )
        return parts[0], page, json.dumps(following) if following else None


def _handler(shop: Shop) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            split = urlsplit(self.path)
            query = {key: values[0] for key, values in parse_qs(split.query).items()}
            shop.requests.append((split.path, query))
            number = json.loads(query["page_info"])["page"] if "page_info" in query else 1
            resource = split.path.strip("/").split(".")[0].split("/")[-1]
            if self.headers.get("X-Shopify-Access-Token") != TOKEN:
                self._answer(401, {"errors": "[API] Invalid API key or access token"})
                return
            if "page_info" in query and "updated_at_min" in query:
                self._answer(400, {"errors": "updated_at_min cannot be passed when page_info is present"})
                return
            fault = shop.fault(resource, number)
            if fault == "429":
                self._answer(429, {"errors": "Exceeded 2 calls per second"}, {"Retry-After": "1"})
                return
            if fault == "502":
                self._answer(502, {"errors": "bad gateway"})
                return
            shop.before_page(resource, number)
            resource, rows, following = shop.page(split.path, query)
            headers = {}
            if following:
                link = f"{shop.address}{split.path.lstrip('/')}?limit=250&page_info={following}"
                headers["Link"] = f'<{link.replace(" ", "").replace(chr(34), "%22")}>; rel="next"'
            self._answer(200, {resource: rows}, headers, cut=fault == "cut")
            shop.served[resource] += len(rows)

        def _answer(
            self, status: int, body: Any, headers: dict[str, str] | None = None, *, cut: bool = False
        ) -> None:
            content = json.dumps(body).encode()
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[: len(content) // 2] if cut else content)

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing: tests read shop.requests."""

    return Handler


@contextmanager
def serving(shop: Shop) -> Iterator[Shop]:
    """The shop on a port of its own."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(shop))
    shop.address = f"http://127.0.0.1:{server.server_port}/"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield shop
    finally:
        server.shutdown()
        server.server_close()
