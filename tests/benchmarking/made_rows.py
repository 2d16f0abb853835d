"""Rows of comparisons, made by hand."""

from torchdenoise.benchmarking.columns import columns


def row(recipe, image, psnr, noise="gaussian:25", seed="0", **values):
    """Return a row; a failed one without a PSNR."""
    status = "done" if psnr else "failed"
    figures = {"psnr": psnr, "ssim": "0.5", "seconds": "2", "steps": "7", "parameters": "100", "workers": "1"}
    named = {"recipe": recipe, "image": image, "noise": noise, "seed": seed, "status": status}
    return dict.fromkeys(columns(), "") | named | (figures if psnr else {"error": "broke"}) | values
