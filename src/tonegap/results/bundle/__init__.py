"""Results as one archive that anybody can check: no image, no data set and no GPU is needed for it."""
