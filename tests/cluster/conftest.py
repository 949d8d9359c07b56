"""A real Slurm for all tests here, and a suite on it."""

from planner import planner, rooms, tonegap
from slurm_here import a_cluster, cluster, limits, out_of_time

__all__ = ["a_cluster", "cluster", "limits", "out_of_time", "planner", "rooms", "tonegap"]
