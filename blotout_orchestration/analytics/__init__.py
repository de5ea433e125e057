"""From the unified events to the reports: the dbt project, the embedded warehouse, the models in Python."""
