import lightning
import torch
from torch.func import functional_call, stack_module_state, vmap

from torchdenoise.data import SingleImage
from torchdenoise.denoisers import ZSN2N, SmallCNN, ZSN2NLoss
from torchdenoise.fitting import HYGIENE

STEPS = 20


def test_four_stacked_networks_learn_what_four_fits_learn():
    torch.manual_seed(0)
    pictures = torch.rand(4, 1, 3, 16, 18)
    networks = [SmallCNN(width=8) for _ in pictures]
    loss, skeleton = ZSN2NLoss(), SmallCNN(width=8)
    parameters, buffers = stack_module_state(networks)
    optimizer = torch.optim.Adam(parameters.values(), lr=1e-3)

    def total(own, noisy):
        terms = loss(lambda image: functional_call(skeleton, (own, buffers), (image,)), {"noisy": noisy}, {}, 0.0)
        return sum(terms.values())

    for _ in range(STEPS):
        optimizer.zero_grad()
        vmap(total)(parameters, pictures).sum().backward()
        optimizer.step()

    for place, (network, noisy) in enumerate(zip(networks, pictures, strict=True)):
        before = [parameter.clone() for parameter in network.parameters()]
        data = SingleImage()
        data.use(noisy)
        lightning.Trainer(**HYGIENE, accelerator="cpu", max_steps=STEPS).fit(ZSN2N(network), datamodule=data)
        for old, (name, parameter) in zip(before, network.named_parameters(), strict=True):
            torch.testing.assert_close(parameters[name][place], parameter, atol=1e-5, rtol=0)
            assert (parameter - old).abs().max() > 1e-3  # the fit changed that much
