"""One stage table, three launchers: DVC, Kubeflow Pipelines, TorchX."""
