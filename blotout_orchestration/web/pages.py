"""The pages of the door: login, logout, and the message of a failed one.

Belongs here: their HTML and their content security policy. Does not belong here: what happens on a click.
"""

from __future__ import annotations

import secrets
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from starlette.responses import HTMLResponse

if TYPE_CHECKING:
    from jinja2 import Environment

_LAYOUT: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<link rel="icon" href="data:,">
<title>{{ title }}</title>
<style nonce="{{ nonce }}">
  body { margin: 0; min-height: 100vh; display: grid; place-items: center; background: #f5f6f8;
         font: 16px/1.5 system-ui, sans-serif; color: #1c2330; }
  main { background: #fff; padding: 2rem; border-radius: 12px; width: min(22rem, 88vw);
         box-shadow: 0 1px 3px #1c233022, 0 8px 32px #1c233014; }
  h1 { font-size: 1.25rem; margin: 0 0 1rem; }
  label { display: block; margin: .75rem 0 .25rem; font-weight: 600; }
  input { box-sizing: border-box; width: 100%; padding: .6rem; font: inherit; border: 1px solid #8a93a3;
          border-radius: 6px; }
  button, a.button { display: block; box-sizing: border-box; width: 100%; margin-top: 1.25rem; padding: .65rem;
          font: inherit; font-weight: 600; text-align: center; text-decoration: none; border: 0;
          border-radius: 6px; background: #1f3a8a; color: #fff; cursor: pointer; }
  a.button { background: #e8ebf2; color: #1c2330; }
  input:focus-visible, button:focus-visible, a:focus-visible { outline: 3px solid #7aa2ff; outline-offset: 2px; }
  [role=alert] { background: #fdecea; color: #7a1410; padding: .6rem .8rem; border-radius: 6px; margin: 0 0 .5rem; }
</style>
</head>
<body><main>{% block content %}{% endblock %}</main></body>
</html>
"""
_LOGIN: Final = """{% extends "layout" %}{% block content %}
<h1>Blotout pipelines</h1>
{% if problem %}<p role="alert">{{ problem }}</p>{% endif %}
<form method="post" action="{{ prefix }}/login">
  <input type="hidden" name="form" value="{{ form }}">
  <input type="hidden" name="next" value="{{ target }}">
  <label for="name">User</label>
  <input id="name" name="name" autocomplete="username" autocapitalize="none" spellcheck="false" required autofocus>
  <label for="password">Password</label>
  <input id="password" name="password" type="password" autocomplete="current-password" required>
  <button type="submit">Log in</button>
</form>
{% if provider %}<a class="button" href="{{ prefix }}/oidc/login?{{ provider }}">Log in with {{ provider_name }}</a>{% endif %}
{% endblock %}"""
_LOGOUT: Final = """{% extends "layout" %}{% block content %}
<h1>Log out</h1>
<p>You are <b>{{ name }}</b> with the role <b>{{ role }}</b>.</p>
<form method="post" action="{{ prefix }}/logout">
  <input type="hidden" name="form" value="{{ form }}">
  <button type="submit">Log out</button>
</form>
<a class="button" href="{{ prefix }}/">Back to the pipelines</a>
{% endblock %}"""
_PROBLEM: Final = """{% extends "layout" %}{% block content %}
<h1>That did not work</h1>
<p role="alert">{{ problem }}</p>
<a class="button" href="{{ prefix }}/login">To the login</a>
{% endblock %}"""


@lru_cache(maxsize=1)
def _templates() -> Environment:
    from jinja2 import DictLoader, Environment, StrictUndefined

    pages = {"layout": _LAYOUT, "login": _LOGIN, "logout": _LOGOUT, "problem": _PROBLEM}
    return Environment(loader=DictLoader(pages), autoescape=True, undefined=StrictUndefined)


def page(template: str, title: str, status: int = 200, **values: Any) -> HTMLResponse:
    """A page that runs no script, loads nothing and is not kept by the browser."""
    nonce = secrets.token_urlsafe(16)
    html = _templates().get_template(template).render(title=title, nonce=nonce, **values)
    policy = f"default-src 'none'; style-src 'nonce-{nonce}'; img-src data:; base-uri 'none'"
    return HTMLResponse(html, status, {"Content-Security-Policy": policy, "Cache-Control": "no-store"})
