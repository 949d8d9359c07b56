"""A hyper-parameter search that is fair: equal draws for every baseline, chosen on validation images."""
