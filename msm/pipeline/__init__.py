"""Recipes, the table of stages, and the runner of tasks."""
