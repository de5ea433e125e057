"""The monthly bill: what the cloud cost, or, on embedded ground, what the platform used of its own machine.

Belongs here: reading (`cost_explorer.py`, `platform_use.py`), adding up (`bill.py`), showing (`showing.py`,
`pictures.py`) and mailing it once (`mailing.py`). Does not belong here: how mails leave (`platform/mail.py`).
"""
