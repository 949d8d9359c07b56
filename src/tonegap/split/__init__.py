"""Published split rules, validation carving and pins."""
