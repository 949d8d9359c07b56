"""An engine and a base image for the tests here."""

from engine_fixtures import base, client, host, nothing_left, product

__all__ = ["base", "client", "host", "nothing_left", "product"]
