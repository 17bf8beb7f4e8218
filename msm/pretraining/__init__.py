"""Pre-training of sentence encoders: the masked sentence model, its controls and baselines, and translations."""
