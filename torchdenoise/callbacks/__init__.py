"""Lightning callbacks: checkpoints, Ctrl-C, predicted pictures, score tables."""
