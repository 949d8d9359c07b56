"""Whether a synthetic set descends from, or shows, an image that training must not see."""
