"""The help texts of ``torchdenoise fit``, ``validate``, ``test`` and ``predict``."""

EXAMPLES = {
    "fit": """\
fit a denoiser to one picture, or train it on a folder

examples:
  torchdenoise fit --config zsn2n --data.path noisy.png
  torchdenoise fit --config zsn2n --data.path noisy.png --model.network.width 64 --model.loss.consistency_weight 0.5
  torchdenoise fit --config zsn2n --data.path noisy.png --model.loss my_loss.MyLoss        (./my_loss.py)
  torchdenoise fit --model ZSN2N --model.network SmallCNN --model.network.width 64 --data SingleImage --data.path x.png
  torchdenoise fit --config zsn2n --print_config > mine.yaml        then: torchdenoise fit --config mine.yaml
A class comes before its arguments and starts from its own defaults; --config comes before what changes it.

training on folders:
  torchdenoise fit --config n2n --data.train clean/ --data.val clean_val/ --data.crop 64 --data.repeats 10
  torchdenoise fit --config n2n --data PairFolder --data.train_noisy noisy/ --data.train_target clean/
  torchdenoise fit --config n2n --data.train clean/ --ckpt_path runs/version_0/checkpoints/last.ckpt    (goes on)
--data PairFolder takes your own pairs, matched by name: noisy and clean, or two noisy pictures of a scene.
--trainer.max_epochs 100, --trainer.devices 2 --trainer.strategy ddp, --trainer.precision bf16-mixed: as in Lightning.

results, in runs/version_N/:
  checkpoints/last.ckpt    after every epoch and after Ctrl-C; a fit that goes on from it ends as if never stopped
  checkpoints/best.ckpt    with --data.val: where val_loss, which needs no clean picture, was smallest
  config.yaml              all options, for --config
  metrics.csv              losses and scores; --trainer.logger TensorBoardLogger (the extra [tensorboard]) instead""",
    "validate": """\
score a fitted denoiser as its validation does

example:
  torchdenoise validate --config zsn2n --ckpt_path last.ckpt --data ImageFolder --data.val clean/""",
    "test": """\
score one set of weights on a folder of clean pictures with synthetic noise: PSNR and SSIM of each, and their means

example:
  torchdenoise test --ckpt_path last.ckpt --data ImageFolder --data.test clean/ --data.noise gaussian:25:clip""",
    "predict": """\
write what a fitted denoiser makes of pictures

examples:
  torchdenoise predict --ckpt_path last.ckpt --data.path noisy.png --output clean.png
  torchdenoise predict --ckpt_path last.ckpt --data ImageFolder --data.predict scans/ --output clean/
--output OUT: a file for one picture, a folder for several; unless given NAME_denoised.EXT beside the input.
--overwrite: replace outputs that exist already.""",
}
