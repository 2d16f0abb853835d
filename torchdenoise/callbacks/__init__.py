"""Lightning callbacks: checkpoints, predicted pictures, score tables."""
