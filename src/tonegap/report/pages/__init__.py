"""The pages of a report: one folder that opens from disk, made from a leaderboard and what its store kept."""
