"""Why did it fail? First evidence, then causes ranked by probability."""
