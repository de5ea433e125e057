"""Migrations of the platform's database, run by alembic.

Belongs here: how they run (`env.py`) and what a new one looks like (`script.py.mako`).
"""
