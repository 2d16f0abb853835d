"""The help texts of ``torchdenoise fit``, ``validate``, ``test`` and ``predict``."""

EXAMPLES = {
    "fit": """\
fit a denoiser to one picture, or train it on a folder

examples:
  torchdenoise fit --config zsn2n --data.path noisy.png
  torchdenoise fit --config zsn2n --data.path noisy.png --model.network.width 64 --model.loss.consistency_weight 0.5
  torchdenoise --import my_loss fit --config zsn2n --data.path noisy.png --model.loss MyLoss        (./my_loss.py)
  torchdenoise fit --model ZSN2N --model.network SmallCNN --model.network.width 64 --data SingleImage --data.path x.png
  torchdenoise fit --config zsn2n --print_config > mine.yaml        then: torchdenoise fit --config mine.yaml
Give a class before its arguments; it starts from its own defaults. Give --config before the options that override it.

training on folders:
  torchdenoise fit --config n2n --data.train clean/ --data.val clean_val/ --data.crop 64 --data.repeats 10
  torchdenoise fit --config n2n --data PairFolder --data.train_noisy noisy/ --data.train_target clean/
  torchdenoise fit --config n2n --data.train clean/ --ckpt_path runs/version_0/checkpoints/last.ckpt    (resume)
  torchdenoise fit --config n2n --data.train mine/ --init_from trained.ckpt       (its weights; a new fit)
--data PairFolder takes pairs of pictures matched by name: noisy and clean, or two noisy pictures of one scene.
--trainer.max_epochs 100, --trainer.devices 2 --trainer.strategy ddp, --trainer.precision bf16-mixed: as in Lightning.

results, in runs/version_N/ (--trainer.default_root_dir DIR: in DIR/version_N/):
  checkpoints/last.ckpt    after each epoch and after Ctrl-C; resuming from it gives the result of an uninterrupted fit
  checkpoints/best.ckpt    with --data.val: the state with the smallest val_loss, which needs no clean picture
  config.yaml              all options, for --config
  metrics.csv              losses and scores; --trainer.logger TensorBoardLogger (the extra [tensorboard]) instead""",
    "validate": """\
score a checkpoint on the validation pictures

example:
  torchdenoise validate --config zsn2n --ckpt_path last.ckpt --data ImageFolder --data.val clean/""",
    "test": """\
score a checkpoint on clean pictures with synthetic noise: PSNR and SSIM of each picture, and their means

example:
  torchdenoise test --ckpt_path last.ckpt --data ImageFolder --data.test clean/ --data.noise gaussian:25:clip""",
    "predict": """\
denoise pictures with a checkpoint

examples:
  torchdenoise predict --ckpt_path last.ckpt --data.path noisy.png --output clean.png
  torchdenoise predict --ckpt_path last.ckpt --data ImageFolder --data.predict scans/ --output clean/
  torchdenoise --import my_loss predict --ckpt_path last.ckpt --data.path noisy.png        (fitted with ./my_loss.py)
--output OUT: a file for one picture, a folder for several; default NAME_denoised.EXT beside the input.
--overwrite: replace outputs that exist already.""",
}
