"""Synthetic sets: their manifest, withheld copies, audit and quality."""
