"""`runs/`: where everything lies in it, how it is written, sealed and read."""
