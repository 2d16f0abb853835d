"""``torchdenoise compare``: several methods on the same noisy pictures."""

from collections.abc import Sequence
from pathlib import Path

from torchdenoise.commands.arguments import Parser, add_worker_options, positive
from torchdenoise.errors import UserError
from torchdenoise.extras import plotting
from torchdenoise.user_modules import full_command

EXAMPLES = """\
  torchdenoise compare --recipes zsn2n,zsn2m-star,bm3d --data clean/ --noise gaussian:25:clip,poisson:25 -o results/
  torchdenoise compare --recipes 'zsn2*,n2n=runs/version_0/checkpoints/last.ckpt' --data clean/ --noise gaussian:25 \\
      --crop 256 --seeds 0,1 --workers 2 --threads 1 -o results/
  torchdenoise compare --recipes zsn2n,wide=zsn2n:model.network.width=64,trainer.max_steps=900 --data clean/ \\
      --noise gaussian:25 -o results/
  torchdenoise compare --recipes zsn2n,bm3d --noisy noisy/ --clean clean/ -o results/     your own pairs
  torchdenoise compare --recipes zsn2n,bm3d --noisy noisy/ -o results/                    without ground truth

  torchdenoise compare --recipes zsn2n,bm3d --noisy noisy/ --clean clean/ -o results/ --figures    figures for a paper

results: results.csv (a row for each job, written when it ends), table.md, table.tex, report.html (open it in a
browser), pictures/ (as `denoise` writes them); with --figures also figures/*.pdf and *.svg
Run the command again, with more recipes if you like, and it does only what is missing. Exit code 1: a job failed.
"""


def parser() -> Parser:
    """Return the parser of the command's options."""
    options = Parser("torchdenoise compare", "Compare methods on the same noisy pictures.", EXAMPLES)
    options.add_argument(
        "--recipes",
        required=True,
        metavar="A,B=CKPT,...",
        help="names, patterns, YAML files, NAME=CKPT, variants NAME=RECIPE:KEY=VALUE,KEY=VALUE",
    )
    options.add_argument("--data", nargs="+", type=Path, default=[], metavar="DIR", help="clean pictures for --noise")
    options.add_argument("--noise", default="", metavar="SPEC,...", help="e.g. gaussian:25,gaussian:25:clip,poisson:25")
    options.add_argument("--noisy", nargs="+", type=Path, default=[], metavar="DIR", help="noisy pictures")
    options.add_argument(
        "--clean", nargs="+", type=Path, default=[], metavar="DIR", help="ground truth of --noisy, same names"
    )
    options.add_argument("-o", "--output", type=Path, required=True, metavar="DIR", help="folder for the results")
    options.add_argument("--figures", action="store_true", help="draw figures for papers, too (extra [figures])")
    options.add_argument("--spread", action="store_true", help="standard deviations between pictures in table.tex")
    options.add_argument("--crop", type=positive, metavar="N", help="compare the N x N centre of each picture")
    options.add_argument("--seeds", default="0", metavar="N,...", help="seeds of noise and fits (default: 0)")
    options.add_argument("--max-steps", type=positive, metavar="N", help="steps of every fit")
    add_worker_options(options, "job")
    options.add_argument("--batch", type=positive, default=1, metavar="N", help="pictures fitted together; for a GPU")
    options.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, mps (default: %(default)s)")
    return options


def run(words: Sequence[str]) -> int:
    """Compare what the words after ``compare`` name, and return the exit code."""
    options = parser().parse_args(words[1:])
    if options.data and (options.noisy or options.clean):
        raise UserError(
            "--data is for synthetic noise, --noisy and --clean for pictures that are noisy: use one or the other"
        )
    if options.clean and not options.noisy:
        raise UserError("--clean needs the noisy pictures, too: add --noisy DIR, or use --data DIR with --noise")
    if options.figures:
        plotting()
    from torchdenoise.benchmarking import compare
    from torchdenoise.commands.progress import shown_jobs

    with shown_jobs() as listener:
        rows = compare(
            options.recipes,
            options.data or options.clean,
            options.noise,
            noisy=options.noisy,
            seeds=_seeds(options.seeds),
            crop=options.crop,
            max_steps=options.max_steps,
            threads=options.threads,
            workers=options.workers,
            batch=options.batch,
            dask=options.dask,
            device=options.device,
            output=options.output,
            figures=options.figures,
            spread=options.spread,
            listener=listener,
            command=full_command(words),
        )
    failed = sum(row["status"] == "failed" for row in rows)
    print((options.output / "table.md").read_text(encoding="utf-8"))
    print(f"report: {options.output / 'report.html'}")
    if options.figures:
        print(f"figures: {options.output / 'figures'}")
    if failed:
        print(f"{failed} of {len(rows)} jobs failed: see above; the same command repeats them")
    return 1 if failed else 0


def _seeds(text: str) -> list[int]:
    try:
        return [int(word) for word in text.split(",")]
    except ValueError:
        raise UserError(f"--seeds {text}: give whole numbers with commas, e.g. 0,1,2") from None
