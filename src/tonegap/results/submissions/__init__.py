"""External submissions: bundles that verify, and predictions with a card, kept beside a store's own records."""
