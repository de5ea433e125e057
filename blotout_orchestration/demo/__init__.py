"""The demo store: a seeded shop whose click stream, CRM, orders and ad spend come with the truth beside them.

Everything here is made up by a random generator with a seed; the same options give the same bytes.
"""
