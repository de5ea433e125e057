"""The pipelines of the Blotout customer data platform as Dagster software-defined assets.

Holds nothing but this sentence and the version; everything lives in the rooms beside it.
"""

__version__ = "0.1.0"
