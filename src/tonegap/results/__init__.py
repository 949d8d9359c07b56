"""Records of a store, papers, external submissions and bundles, as one board: numbers only."""
