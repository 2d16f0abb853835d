# torchdenoise, a stack: the default recipe, one network for all frames, as docs/stacks.md suggests for time series.
torchdenoise denoise noisy.tif -o clean.tif --fit shared
