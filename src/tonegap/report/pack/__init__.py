"""The paperwork of a submission, filled in from results."""
