"""Checks a download, and the folders of a suite root."""
