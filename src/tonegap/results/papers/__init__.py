"""Printed numbers beside reproduced ones, cell by cell."""
