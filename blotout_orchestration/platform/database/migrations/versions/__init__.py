"""The migrations, a module a revision; each follows the one before it, and none is changed once it has landed."""
