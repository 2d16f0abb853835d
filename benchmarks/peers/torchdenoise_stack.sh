# torchdenoise, a stack: the default recipe.
torchdenoise denoise noisy.tif -o clean.tif
