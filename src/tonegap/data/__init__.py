"""A user's download as a checked data set."""
