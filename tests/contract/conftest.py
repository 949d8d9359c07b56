"""A suite root in a temporary folder for every test here, see tests/support/tiny_rooms.py."""

from tiny_rooms import rooms, tonegap

__all__ = ["rooms", "tonegap"]
