"""deepinv, your own loss, after the example "Self-supervised denoising with the Neighbor2Neighbor loss"."""

import deepinv as dinv
import torch
from torch.utils.data import DataLoader
from torchvision.utils import save_image


class Charbonnier(torch.nn.Module):
    """A smooth absolute difference."""

    def forward(self, one, other):
        """Return the mean."""
        return ((one - other).square() + 1e-4).sqrt().mean()


torch.manual_seed(0)
noisy = dinv.utils.load_image("noisy.png")
physics = dinv.physics.Denoising()
model = dinv.models.ArtifactRemoval(dinv.models.UNet(in_channels=3, out_channels=3, scales=2))
trainer = dinv.Trainer(
    model=model,
    physics=physics,
    losses=dinv.loss.Neighbor2Neighbor(metric=Charbonnier()),
    optimizer=torch.optim.Adam(model.parameters(), lr=5e-4, weight_decay=1e-8),
    train_dataloader=DataLoader(dinv.datasets.TensorDataset(y=noisy)),
    epochs=50,
    metrics=None,
    device="cpu",
)
model = trainer.train()
with torch.no_grad():
    save_image(model(noisy, physics), "clean.png")
