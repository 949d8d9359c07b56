"""Plans a suite: what it declares and what each task and seed has, as stages with keys."""
