"""From records to leaderboards: what they say, in words, tables and files."""
