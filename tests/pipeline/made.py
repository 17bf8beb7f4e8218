"""The recipes that are committed."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
RECIPES = [path for path in sorted((ROOT / "recipes").glob("*.yaml")) if path.name != "anchors.yaml"]
