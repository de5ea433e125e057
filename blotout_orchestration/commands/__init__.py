"""The commands of `blotout`: thin, one module a topic; what they do lies in the domains and the platform.

Modules here import at their top only what parsing a command line needs, so that `blotout --help` is quick.
"""
