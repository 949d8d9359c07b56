"""What is declared and what is there, as stages with keys."""
