"""From a suite to records: plan, store, stages, checks of what they leave."""
