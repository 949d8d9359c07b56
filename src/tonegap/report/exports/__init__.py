"""What this suite knows, in the formats that other tools read: Croissant, data set cards, RO-Crate, MLflow."""
