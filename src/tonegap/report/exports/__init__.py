"""Writes what a report knows in formats that other tools read; each module has `files(board, source)`."""
