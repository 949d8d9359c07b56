"""From records to leaderboards and pages."""
