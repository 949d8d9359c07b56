"""A suite on a small download."""

from planner import planner, rooms, tonegap

__all__ = ["planner", "rooms", "tonegap"]
