"""pyarrow's S3 as dlt's filesystem source wants to see it.

Belongs here: the one field that is missing between the two.
"""

from __future__ import annotations

from typing import Any


def s3_files(filesystem: Any) -> Any:
    """An fsspec filesystem over pyarrow's S3 whose entries say when they were changed, as s3fs does."""
    from fsspec.implementations.arrow import ArrowFSWrapper

    class S3Files(ArrowFSWrapper):  # type: ignore[misc]
        """pyarrow's S3 under fsspec, with the time of the last change in each entry (`LastModified`, UTC)."""

        protocol = "s3"

        def _make_entry(self, info: Any) -> dict[str, Any]:
            entry: dict[str, Any] = super()._make_entry(info)
            return {**entry, "LastModified": info.mtime}

    return S3Files(filesystem, skip_instance_cache=True)
