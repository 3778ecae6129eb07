"""Training: one loop for all networks, on PyTorch Lightning."""
