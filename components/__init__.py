"""Renders the table of stages for DVC, Kubeflow Pipelines and TorchX, and runs it in clusters."""
