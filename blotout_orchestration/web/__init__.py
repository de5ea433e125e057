"""The door: a login with roles around Dagster's own webserver, which stays untouched.

Belongs here: users, sessions, permissions of a request, the pages of the login, and what refuses a request.
Does not belong here: anything about pipelines; the rooms know nothing of who looks at them.
"""
