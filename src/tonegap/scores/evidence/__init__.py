"""The uncertainty of scores: resamples of test images, intervals, comparisons. Pure functions over arrays."""
