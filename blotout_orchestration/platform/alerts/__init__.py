"""Alerts: what went wrong, told once, to whom it concerns, and never lost.

Belongs here: troubles (`troubles.py`), the outbox (`outbox.py`), how an alert reads (`wording.py`), its
transports (`delivery.py`), where troubles are found (`failed_runs.py`, `failed_checks.py`) and the sensor
(`automation.py`). Does not belong here: mails themselves (`platform/mail.py`).
"""
