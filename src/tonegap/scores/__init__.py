"""Predictions and truth into scores per tone, gaps, and the choice of an epoch and a threshold."""
