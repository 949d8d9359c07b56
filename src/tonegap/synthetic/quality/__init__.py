"""What is known of a synthetic set before anybody trains on it: tones, distances, copies, a picture."""
