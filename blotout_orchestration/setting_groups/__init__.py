"""The variables of the platform, a group a file; `settings.py` puts them together and reads them.

Belongs here: declarations, written with `setting_fields`. Does not belong here: reading the environment.
"""
