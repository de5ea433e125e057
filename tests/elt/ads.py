"""Google Ads and Meta as their APIs answer, from the recorded reporting tables.

A stand-in at the edge of the network: requests are checked as the platforms check them.
"""

from __future__ import annotations

import csv
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

PAGE = 7
Row = dict[str, str]


def recorded(folder: Path, name: str) -> list[Row]:
    """Rows of one of the recorded tables."""
    with (folder / "ad_reporting" / f"{name}_data.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


class Platforms:
    """What both platforms have, and what they were asked."""

    def __init__(self, folder: Path) -> None:
        self.google = recorded(folder, "google_ads_campaign_stats")
        self.meta = recorded(folder, "facebook_ads_basic_ad")
        self.queries: list[str] = []
        self.ranges: list[dict[str, str]] = []
        self.tokens = 0
        self.address = ""

    def google_page(self, body: dict[str, Any]) -> dict[str, Any]:
        """One page of GAQL's answer: camelCase, int64 as text, zeros left out as the API does."""
        self.queries.append(body["query"])
        found = re.search(r"segments.date >= '(\d{4}-\d{2}-\d{2})'", body["query"])
        assert found, "the platform refuses a report without dates"
        rows = [row for row in self.google if row["date"] >= found[1]]
        start = int(body.get("pageToken", 0))
        page: dict[str, Any] = {"results": [self._google_result(row) for row in rows[start : start + PAGE]]}
        if start + PAGE < len(rows):
            page["nextPageToken"] = str(start + PAGE)
        return page

    @staticmethod
    def _google_result(row: Row) -> dict[str, Any]:
        metrics: dict[str, Any] = {
            "clicks": row["clicks"],
            "impressions": row["impressions"],
            "costMicros": row["cost_micros"],
            "conversions": float(row["conversions"]),
            "conversionsValue": float(row["conversions_value"]),
        }
        return {
            "customer": {"id": row["customer_id"], "currencyCode": "USD", "timeZone": "America/New_York"},
            "campaign": {"id": row["id"], "name": "spring", "resourceName": row["base_campaign"]},
            "segments": {
                "date": row["date"],
                "device": row["device"],
                "adNetworkType": row["ad_network_type"],
            },
            "metrics": {name: value for name, value in metrics.items() if value not in ("0", 0.0)},
        }

    def meta_page(self, query: dict[str, str]) -> dict[str, Any]:
        """One page of insights, with the address of the next."""
        asked = json.loads(query["time_range"])
        self.ranges.append(asked)
        date.fromisoformat(asked["until"])
        rows = [row for row in self.meta if asked["since"] <= row["date"] <= asked["until"]]
        start = int(query.get("after", 0))
        page: dict[str, Any] = {
            "data": [
                {
                    "ad_id": row["ad_id"],
                    "account_id": row["account_id"],
                    "account_currency": "USD",
                    "campaign_id": "9",
                    "campaign_name": "summer",
                    "date_start": row["date"],
                    "date_stop": row["date"],
                    "impressions": row["impressions"],
                    "inline_link_clicks": row["inline_link_clicks"],
                    "spend": row["spend"],
                    "actions": [
                        {"action_type": "link_click", "value": "5"},
                        {"action_type": "purchase", "value": "2"},
                    ],
                }
                for row in rows[start : start + PAGE]
            ],
            "paging": {},
        }
        if start + PAGE < len(rows):
            range_text = query["time_range"].replace('"', "%22")
            page["paging"]["next"] = f"{self.address}insights?time_range={range_text}&after={start + PAGE}"
        return page


def _handler(platforms: Platforms) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"]))
            if self.path == "/token":
                given = {key: values[0] for key, values in parse_qs(content.decode()).items()}
                right = given["grant_type"] == "refresh_token" and given["refresh_token"] == "refresh"
                platforms.tokens += 1
                self._answer(200 if right else 400, {"access_token": "access", "expires_in": 3600})
            elif self.headers["Authorization"] != "Bearer access" or self.headers["developer-token"] != "dev":
                self._answer(401, {"error": {"status": "UNAUTHENTICATED"}})
            elif "login-customer-id" in self.headers:
                self._answer(403, {"error": {"status": "PERMISSION_DENIED"}})
            else:
                self._answer(200, platforms.google_page(json.loads(content)))

        def do_GET(self) -> None:
            query = {key: values[0] for key, values in parse_qs(urlsplit(self.path).query).items()}
            if self.headers["Authorization"] != "Bearer meta":
                self._answer(401, {"error": {"code": 190}})
            else:
                self._answer(200, platforms.meta_page(query))

        def _answer(self, status: int, body: Any) -> None:
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing: tests read what the platforms were asked."""

    return Handler


@contextmanager
def serving(platforms: Platforms) -> Iterator[Platforms]:
    """Both platforms on one port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(platforms))
    platforms.address = f"http://127.0.0.1:{server.server_port}/"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield platforms
    finally:
        server.shutdown()
        server.server_close()
