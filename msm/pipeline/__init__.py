"""The chain: stages, recipes, and how a stage is run."""
