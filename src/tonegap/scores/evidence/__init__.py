"""How sure a score is: draws of test images, intervals, comparisons. Pure functions over arrays."""
