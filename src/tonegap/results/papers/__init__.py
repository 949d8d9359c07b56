"""Compares reported numbers with reproduced ones."""
