"""Operators, a cluster and its troubles in one thread, in every order that a seed can name. See README.md."""
