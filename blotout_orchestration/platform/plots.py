"""Pictures in an asset's metadata.

Belongs here: bringing PNG bytes to the form that the Dagster UI shows. Drawing belongs to the domains.
"""

from __future__ import annotations

import base64

from dagster import MarkdownMetadataValue, MetadataValue


def picture(png: bytes, title: str) -> MarkdownMetadataValue:
    """A PNG as Markdown metadata; the UI shows it behind "Show Markdown"."""
    encoded = base64.b64encode(png).decode("ascii")
    return MetadataValue.md(f"![{title}](data:image/png;base64,{encoded})")
