"""Measures the quality of a synthetic set before anybody trains on it: tones, distances, copies, contact sheets."""
