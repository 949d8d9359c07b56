"""Skin drawn from first principles: pictures that need no download and stand in for real ones."""
