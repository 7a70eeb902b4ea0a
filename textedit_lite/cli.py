"""The command line: reads the arguments, calls the function that does the work, prints what came out.

Everything heavy is imported by the command that needs it, so that `textedit-lite --help` answers at once.
"""

from __future__ import annotations

import argparse
import contextlib
import inspect
import json
import os
import sys
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from importlib.metadata import version as installed
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NoReturn

from textedit_lite.errors import AmbiguousError, NotFoundError, SettingsError, TextEditError
from textedit_lite.resources import data_path

INTERRUPTED, UNREAD = 130, 141  # 128 + SIGINT, 128 + SIGPIPE, as shells report them
WHOLE = "Interrupted: nothing half-written is left."
GOES_ON = "Stopped: the same command goes on from here."
AGAIN = "Interrupted: give the same command again."

WEIGHTS = ("lite (default), full, a folder with detr/, clip/ and inpaint/, or a .toml or .json file that names them; "
           "lite+lcm and full+lcm paint in four steps, without guidance")  # fmt: skip
AddCommand = Callable[..., argparse.ArgumentParser]  # adds the parser of a command: see `build_parser`


def main(argv: list[str] | None = None) -> int:
    """Run one command and return its exit status.

    0 done; 1 looked, and found something amiss (`replay`, `doctor`), or a download was declined (`fetch`, `evaluate`);
    2 bad input; 3 not there or ambiguous; 130 interrupted; 141 whoever was reading the output has gone.

    Taught in notebook 05.
    """
    parser = build_parser()
    args = parser.parse_args(argv)
    if args.run is None:
        parser.print_help(sys.stderr)
        return 2
    if hasattr(sys.stdout, "reconfigure"):  # a notebook's has no such thing
        sys.stdout.reconfigure(errors="backslashreplace")  # file names may hold what UTF-8 cannot encode
    try:
        status = args.run(args)
        sys.stdout.flush()
        return status
    except KeyboardInterrupt as stopped:
        return complain(str(stopped) or args.stopped, INTERRUPTED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # where Python's last flush can go
        return UNREAD
    except TextEditError as error:
        return complain(str(error), error.exit_code)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return complain(f"{where}{error.strerror or error}.", TextEditError.exit_code)
    except (MemoryError, RuntimeError) as error:
        from textedit_lite.memory import is_out_of_memory

        if not is_out_of_memory(error):
            raise
        return complain("The memory has no room for this: close other programs, or use lite.", TextEditError.exit_code)


def complain(sentence: str, status: int) -> int:
    """Say one sentence on one line of stderr, and pass the exit status on."""
    print("textedit-lite: " + " ".join(sentence.split()), file=sys.stderr)
    return status


# ------------------------------------------------------------------------------------------------------- commands
# The arguments of each stand before it.


def _edit_arguments(command: AddCommand) -> None:
    parser = command(edit, "Change one object of a picture and nothing else.", WHOLE,
                     epilog='Example: textedit-lite edit street.png "the left car changes to a red car"')  # fmt: skip
    parser.add_argument("image", metavar="IMAGE", type=Path, help="the picture")
    parser.add_argument("prompt", metavar="PROMPT", help='e.g. "make the cup blue", "turn the bus upside down"')
    parser.add_argument("--out", metavar="FILE", type=Path, help="the PNG to write (default: IMAGE-edited.png here)")
    parser.add_argument("--weights", metavar="lite|full|DIR", default="lite", help=WEIGHTS)
    parser.add_argument("--device", metavar="cpu|cuda|mps", help="where to compute (default: the best device there is; for lite the CPU)")
    parser.add_argument("--low-memory", action="store_true", default=None,
                        help="paint slower, in half precision and one picture at a time (default: where nothing else would "
                        "fit)")  # fmt: skip
    parser.add_argument("--seed", metavar="N", type=int, default=0, help="of the noise: another seed paints it differently (default: 0)")
    parser.add_argument("--select", metavar="WHICH", type=lambda text: int(text) if text.isdecimal() else text,
                        help="which of several: best, left, right, top, bottom, largest, smallest, middle, all, or the index "
                        "of a candidate (default: as the prompt says, and a question if it does not)")  # fmt: skip
    parser.add_argument("--mask", metavar="box|sam|mask2former|detr|FILE", type=mask,
                        help="how the mask is made: the box (default), or the object's shape by a segmenter; or your own file, "
                        "white where to repaint (write ./sam for a file named sam)")  # fmt: skip
    parser.add_argument("--match", metavar="HOW", help="what CLIP looks at: crop (default), one view of each object, or patches, "
                        "several views and their patches")  # fmt: skip
    parser.add_argument("--steps", metavar="N", type=int, help="denoising steps (default: by model)")
    parser.add_argument("--guidance", metavar="G", type=float, help="how closely to follow the words, in halves (default: by model)")
    parser.add_argument("--threshold", metavar="T", type=float, help="detection threshold, 0 to 1 (default: by picture)")
    parser.add_argument("--rounds", metavar="N", type=int, default=3, help="paint at most N times, until the change is seen (default: 3)")
    parser.add_argument("--grow", metavar="G", type=float, help="how far the mask reaches beyond the box, in its longest sides "
                        "(default: 0.08)")  # fmt: skip
    parser.add_argument("--feather", metavar="F", type=float, help="how wide the mask's edge fades in, in its short sides (default: 0.04)")
    parser.add_argument("--figure", metavar="FILE", type=Path, help="also draw input, candidates, mask and result")
    parser.add_argument("--json", action="store_true", help="print all that is known of the edit as one JSON object")


def edit(args: argparse.Namespace) -> int:
    from textedit_lite.images import check_output, open_image, result_files
    from textedit_lite.mask import check_mask
    from textedit_lite.prompt import parse

    # All this before torch is loaded, so that a wrong name or word is answered at once, and nothing is painted in vain.
    own = [args.mask] if isinstance(args.mask, Path) else []
    out = Path(f"{args.image.stem}-edited.png") if args.out is None else args.out
    out, *beside = result_files(out, [args.image, *own])
    figure = None if args.figure is None else check_output(args.figure, keep=[args.image, *own, out, *beside])
    parse(args.prompt, own_mask=bool(own))
    size = open_image(args.image).size
    for drawn in own:
        check_mask(drawn, size)

    from textedit_lite.editor import Editor
    from textedit_lite.models import load_models

    editor = Editor(load_models(args.weights, args.device, args.low_memory))
    with painting() as progress:
        result = editor.edit(
            args.image, args.prompt, seed=args.seed, steps=args.steps, guidance=args.guidance,
            threshold=args.threshold, select=args.select, mask=args.mask, match=args.match, rounds=args.rounds,
            grow=args.grow, feather=args.feather, progress=progress,
        )  # fmt: skip
    return tell(result, out, figure, args.json)


def tell(result, out: Path, figure: Path | None, as_json: bool) -> int:
    """Write the result of an edit, print it, and return the exit status that stands for it."""
    painted = result.image is not None
    names = result.save(out) if painted else {"output": None, "mask": None}
    if figure:
        from textedit_lite.plots import edit_figure, save

        save(edit_figure(result), figure, dpi=150)
    if as_json:
        print(json.dumps(result.to_dict() | names))
    elif painted:
        print(f"{out}: {result.message}" if result.verified else out)
    elif result.status == "ambiguous":
        for index, candidate in enumerate(result.candidates):
            if candidate.fits:
                place = ", ".join(f"{v:.0f}" for v in candidate.box)
                print(f"--select {index}: {candidate.label} at ({place}), score {candidate.score:.2f}")
    if result.verified:
        return 0
    if painted:
        return complain(result.message, 0)
    missing = {"not_found": NotFoundError, "ambiguous": AmbiguousError}
    return complain(result.message, missing.get(result.status, TextEditError).exit_code)


@contextlib.contextmanager
def painting() -> Iterator[Callable[[int, int], None]]:
    """A progress bar on the terminal, fed with (step, steps); silent where stderr is no terminal."""
    from tqdm import tqdm

    with tqdm(desc="painting", unit="step", leave=False, disable=None) as bar:

        def progress(step: int, steps: int) -> None:
            if step <= bar.n:  # another round
                bar.reset()
            bar.total = steps
            bar.update(step - bar.n)

        yield progress


def _settings(path: Path) -> dict[str, Any]:
    """The settings that an edited PNG carries; if they cannot be read, `replay` itself complains about it."""
    from textedit_lite.editor import METADATA
    from textedit_lite.images import read_metadata

    try:
        settings = json.loads(read_metadata(path).get(METADATA, "{}"))
    except ValueError:
        return {}
    return settings if isinstance(settings, dict) else {}


def _replay_arguments(command: AddCommand) -> None:
    parser = command(replay, "Make an edit again from the settings in its PNG, bit for bit.", WHOLE)
    parser.add_argument("image", metavar="OUT.png", type=Path, help="a picture that `edit` wrote")
    parser.add_argument("--out", metavar="FILE", type=Path, help="the PNG to write (default: only compare)")
    parser.add_argument("--weights", metavar="lite|full|DIR", help="the weights (default: those of the settings)")
    parser.add_argument("--device", metavar="cpu|cuda|mps", help="where to compute (default: as in the settings, if it is there)")
    parser.add_argument("--low-memory", action="store_true", default=None,
                        help="paint as `edit --low-memory` does (default: as it was painted)")  # fmt: skip


def replay(args: argparse.Namespace) -> int:
    from PIL import ImageChops

    from textedit_lite.editor import replay as make_again
    from textedit_lite.images import open_image, result_files

    before, then = open_image(args.image), _settings(args.image)
    if args.out is not None:
        made_from = [then.get(name) for name in ("image", "mask")]
        result_files(args.out, [args.image, *(file for file in made_from if isinstance(file, str))])
    with painting() as progress:
        asked = {"weights": args.weights, "device": args.device, "low_memory": args.low_memory}
        result = make_again(args.image, None, progress, **asked)
    if result.image is None:
        return tell(result, args.image, None, False)
    if args.out is not None:
        result.save(args.out)
    if before.size != result.image.size or ImageChops.difference(before, result.image).getbbox():
        now = vars(result.settings)
        differing = [name for name in ("weights", "device", "low_memory") if then.get(name) not in (None, now[name])]
        known = ", ".join(f"{name.replace('_', ' ')} {then[name]} then, {now[name]} now" for name in differing)
        why = known or "weights, machine or versions differ"
        return complain(f"{args.image} was made again, but not bit for bit: {why}.", 1)
    print(f"{args.image} was made again, bit for bit.")
    return 0


def _scenes_arguments(command: AddCommand) -> None:
    parser = command(scenes, "Draw scenes of the small world as a COCO data set.", GOES_ON)
    parser.add_argument("--count", metavar="N", type=int, default=100, help="how many (default: 100)")
    parser.add_argument("--seed", metavar="S", type=int, default=0, help="another seed, other scenes (default: 0)")
    parser.add_argument("--size", metavar="PIXELS", type=int, default=256, help="side of a scene (default: 256)")
    parser.add_argument("--split", choices=("train", "validation", "test"), default="test", help="(default: test)")
    parser.add_argument("--out", metavar="DIR", type=Path, required=True, help="folder for images/ and the annotations")


def scenes(args: argparse.Namespace) -> int:
    from tqdm import tqdm

    from textedit_lite.world.coco import write_set

    def bar(rows):
        return tqdm(rows, desc="drawing", unit="scene", disable=None)

    out = write_set(args.out, args.count, args.seed, args.size, args.split, progress=bar)
    print(f"{args.count} scenes of the {args.split} split, seed {args.seed}, are in {out}.")
    return 0


TRAINING_OPTIONS = ("seed", "scenes", "count", "init", "vae", "clip")


def _train_arguments(command: AddCommand) -> None:
    parser = command(train, "Train one of the lite models; stopped, the same command goes on.", GOES_ON)
    parser.add_argument("model", choices=("detr", "clip", "vae", "inpaint", "lcm", "sam", "mask2former", "text2image", "instruct-pix2pix"),
                        help="which model")  # fmt: skip
    parser.add_argument("--minutes", metavar="M", type=float, required=True, help="how long to train, in all")
    parser.add_argument("--out", metavar="DIR", type=Path, required=True, help="folder for checkpoints and the model")
    parser.add_argument("--seed", metavar="S", type=int, help="of the weights and batches (default: 0)")
    parser.add_argument("--scenes", metavar="DIR", type=Path, help="folder of drawn scenes, to share between trainings")
    parser.add_argument("--count", metavar="N", type=int, help="how many scenes to draw and train on")
    parser.add_argument("--init", metavar="DIR", type=Path, help="a trained model to go on from (detr, vae, inpaint, "
                        "mask2former, the rivals'), or to learn from (lcm)")  # fmt: skip
    parser.add_argument("--vae", metavar="DIR", type=Path, help="the autoencoder to paint through (inpaint, lcm, the rivals'; "
                        "default: lite's)")  # fmt: skip
    parser.add_argument("--clip", metavar="DIR", type=Path, help="the CLIP to read captions with (inpaint, lcm, the rivals'; "
                        "default: lite's)")  # fmt: skip


def train(args: argparse.Namespace) -> int:
    function = import_module(f"textedit_lite.training.{args.model.replace('-', '_')}").train
    takes = inspect.signature(function).parameters
    given = {name: value for name in TRAINING_OPTIONS if (value := getattr(args, name)) is not None}
    for name in given:
        if name not in takes:
            raise SettingsError(f"`train {args.model}` has no use for --{name}: leave it out.")
    for name in {"init", "vae", "clip"} & given.keys():
        if not given[name].is_dir():  # else the library takes it for an id on the Hub
            raise SettingsError(f"There is no folder {given[name]}: give that of a trained model to --{name}.")
    shipped = {"vae": data_path("models", "lite", "inpaint", "vae"), "clip": data_path("models", "lite", "clip")}
    needed = {name: path for name, path in shipped.items() if name in takes}
    figures = function(args.out, args.minutes, **{**needed, **given})
    show(figures, as_json=False)
    return 0


def _score_arguments(command: AddCommand) -> None:
    parser = command(score, "Measure a lite model, the matching, or the whole editor, on test scenes.")
    parser.add_argument("model", choices=("detr", "clip", "vae", "editor", "oracle", "matching", "masks", "text2image"),
                        help="what to measure")  # fmt: skip
    parser.add_argument("--count", metavar="N", type=int, default=1000, help="how many scenes, or pictures to draw (default: 1000)")
    parser.add_argument("--seed", metavar="S", type=int, default=0, help="of the test scenes (default: 0)")
    parser.add_argument("--weights", metavar="lite|DIR", default="lite", help="what to measure (default: lite)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def score(args: argparse.Namespace) -> int:
    from textedit_lite.training.score import score as measure

    figures = measure(args.model, args.count, args.seed, args.weights)
    if args.model == "matching" and not args.json:
        from textedit_lite.training.score_matching import as_table

        print(as_table(figures))
        return 0
    show(figures, args.json)
    return 0


def _stamp_arguments(command: AddCommand) -> None:
    parser = command(stamp, "Set the repository that the notebooks' badges and first cells lead to, for a fork.",
                     AGAIN)  # fmt: skip
    parser.add_argument("--repo", metavar="OWNER/NAME", help="on GitHub (default: as pyproject.toml has it)")
    parser.add_argument("--ref", metavar="TAG", help="a tag or branch of it (default: as pyproject.toml has it)")
    parser.add_argument("--root", metavar="DIR", type=Path, default=Path(), help="the checkout (default: here)")


def stamp(args: argparse.Namespace) -> int:
    from textedit_lite.stamp import address
    from textedit_lite.stamp import stamp as write

    changed = write(args.root, args.repo, args.ref)
    now = address(args.root)
    print(f"The course is at {now.repo}, {now.ref}: {len(changed)} file{'s' * (len(changed) != 1)} changed.")
    return 0


def _grade_arguments(command: AddCommand) -> None:
    parser = command(grade, "Grade students' notebooks: points, reasons, a page for each; stopped, the same command goes on.",
                     GOES_ON)  # fmt: skip
    parser.add_argument("submissions", metavar="SUBMISSION", type=Path, nargs="+", help="notebooks, or folders of them")
    parser.add_argument("--out", metavar="FILE", type=Path, default=Path("grades.csv"), help="the table (default: grades.csv)")
    parser.add_argument("--html", metavar="DIR", type=Path, help="also write a page for each student")
    parser.add_argument("--jobs", metavar="N", type=int, help="how many at a time (default: one a core)")
    parser.add_argument("--time", metavar="SECONDS", type=float, default=300, help="for one notebook (default: 300)")
    parser.add_argument("--memory", metavar="SIZE", type=size, default="4G", help="for one notebook, as 4G or 800M (default: 4G)")
    parser.add_argument("--full", action="store_true", help="run all of the course's notebook, not its exercises alone")


def grade(args: argparse.Namespace) -> int:
    missing = [name for name in ("nbval", "nbformat", "psutil") if not find_spec(name)]
    if missing:
        raise SettingsError(f"Grading needs {', '.join(missing)}: pip install nbval nbformat psutil.")
    from tqdm import tqdm

    from textedit_lite.grading.classroom import grade as grade_class
    from textedit_lite.grading.sandbox import Limits

    def bar(results, total):
        return tqdm(results, desc="grading", total=total, unit="notebook", disable=None)

    limits = Limits(args.time, args.memory)
    if not limits.fenced:
        complain("this system has no Landlock: answers can read and write all that you can, so grade in a container.", 0)
    results = grade_class(args.submissions, args.out, args.html, args.jobs, limits, args.full, progress=bar)
    for one in results:
        print(f"{one.student}  {one.notebook}  {one.points} of {one.of}" + f"  {one.problem}" * bool(one.problem))
    pages = f", with pages in {args.html}" if args.html else ""
    print(f"{len(results)} notebooks are graded in {args.out}{pages}.")
    return 0


def _release_arguments(command: AddCommand) -> None:
    parser = command(release, "Write the notebooks as students get them: nothing solved, nothing run.", WHOLE)
    parser.add_argument("out", metavar="DIR", type=Path, help="a new folder")


def release(args: argparse.Namespace) -> int:
    from textedit_lite.grading.course import release as hand_out

    for path in hand_out(args.out):
        print(path)
    return 0


def _fetch_arguments(command: AddCommand) -> None:
    parser = command(fetch, "Download the full-size weights ahead of time, and check that they are whole.", GOES_ON)
    parser.add_argument("weights", metavar="full|NAME|FILE",
                        help="full, what it loads when asked for (sam, text2image, ...), inception, which an FID needs, or a .toml or "
                        ".json file that names other models")  # fmt: skip
    parser.add_argument("--yes", action="store_true", help="download without asking")


def fetch(args: argparse.Namespace) -> int:
    from textedit_lite.evaluation.fetch import agreed, fetch_inception
    from textedit_lite.models import fetch_weights

    agree = partial(agreed, yes=args.yes)
    there = fetch_inception(agree) if args.weights == "inception" else fetch_weights(args.weights, agree)
    return 0 if there else complain("Nothing was downloaded.", 1)


def _doctor_arguments(command: AddCommand) -> None:
    parser = command(doctor, "Check this machine: what is fine, doubtful or wrong, and how to fix it.")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def doctor(args: argparse.Namespace) -> int:
    from textedit_lite.doctor import doctor as look
    from textedit_lite.doctor import report as as_data

    found = as_data(look(None if args.json else print))
    if args.json:
        print(json.dumps(found))
    return 0 if found["ok"] else 1


def _evaluate_arguments(command: AddCommand) -> None:
    parser = command(evaluate, "Edit a COCO-format set, grade every edit, and make the table; stopped, the same command goes on.",
                     GOES_ON,
                     epilog="Several processes: torchrun --nproc_per_node N -m textedit_lite evaluate ..., or accelerate launch "
                     "--multi_gpu --num_processes N -m textedit_lite evaluate ..., with or without GPUs.")  # fmt: skip
    parser.add_argument("--data", metavar="DIR|world|coco", default="world",
                        help="a folder with images/ and instances.json, the small world (default), or COCO val2017")  # fmt: skip
    parser.add_argument("--editor", metavar="NAME", default="ours", help="ours (default), copy, oracle-mask, plain, sdedit, diffedit, "
                        "instruct-pix2pix")  # fmt: skip
    parser.add_argument("--tasks", metavar="NAME,...", default="color,tilt,front,updown", help="(default: %(default)s)")
    parser.add_argument("--images", metavar="N", type=int, default=1000, help="of each task (default: 1000)")
    parser.add_argument("--seed", metavar="S", type=int, default=0, help="of the choice of edits and of the noise (default: 0)")
    parser.add_argument("--weights", metavar="lite|full|DIR", default="lite", help=WEIGHTS)
    parser.add_argument("--out", metavar="RUN", type=Path, required=True, help="folder for rows, pictures and table")
    parser.add_argument("--ablate", metavar="NAME", help="do without fusion, crop, refine, guidance, steps, temperature, straighten, "
                        "silhouette, threshold, rounds or sketch")  # fmt: skip
    parser.add_argument("--block", metavar="N", type=int, default=8, help="edits at a time (default: 8)")
    parser.add_argument("--device", metavar="cpu|cuda|mps", help="where to compute (default: the best device there is; for lite the CPU)")
    parser.add_argument("--yes", action="store_true", help="download val2017 without asking")


def evaluate(args: argparse.Namespace) -> int:
    from textedit_lite.evaluation.report import report as put_together
    from textedit_lite.evaluation.run import alone_under_accelerate
    from textedit_lite.evaluation.run import evaluate as edit_all

    if alone_under_accelerate():
        complain("accelerate starts a single process with --cpu: leave that out and give --multi_gpu, which needs no GPU, or "
                 "use torchrun.", 0)  # fmt: skip
    edit_all(
        args.data, args.editor, args.tasks.split(","), args.images, args.seed, args.weights, args.out,
        ablate=args.ablate, block=args.block, device=args.device, yes=args.yes,
        then=lambda folder, models: print(put_together([folder], folder / "report", models)),
    )  # fmt: skip
    return 0


def _tune_arguments(command: AddCommand) -> None:
    parser = command(tune, "Search a rival's settings on validation scenes; stopped, the same command goes on.", GOES_ON)
    parser.add_argument("rival", choices=("sdedit", "diffedit", "instruct-pix2pix"))
    parser.add_argument("--images", metavar="N", type=int, default=16, help="of each task (default: 16)")
    parser.add_argument("--seed", metavar="S", type=int, default=0, help="of the scenes and of the noise (default: 0)")
    parser.add_argument("--weights", metavar="lite|DIR", default="lite", help="lite (default), or other models of the small world")
    parser.add_argument("--out", metavar="DIR", type=Path, required=True, help="folder for the rows and the table")


def tune(args: argparse.Namespace) -> int:
    from textedit_lite.evaluation.tune import tune as search
    from textedit_lite.models import load_models

    show(search(args.rival, load_models(args.weights), args.out, args.images, args.seed), as_json=False)
    return 0


def _report_arguments(command: AddCommand) -> None:
    parser = command(report, "Put runs of `evaluate` side by side: tables in Markdown, CSV and LaTeX, and figures.",
                     AGAIN)  # fmt: skip
    parser.add_argument("runs", metavar="RUN", type=Path, nargs="+", help="a folder that `evaluate` wrote")
    parser.add_argument("--out", metavar="DIR", type=Path, help="folder for it (default: report/ in the first RUN)")


def report(args: argparse.Namespace) -> int:
    from textedit_lite.evaluation.report import report as put_together

    print(put_together(args.runs, args.out or args.runs[0] / "report"))
    return 0


def _version_arguments(command: AddCommand) -> None:
    command(version, "Print the versions that are installed.")


def version(args: argparse.Namespace) -> int:
    for name in ("textedit-lite", "torch", "transformers", "diffusers"):
        print(name, installed(name))
    return 0


def show(figures: dict[str, Any], as_json: bool) -> None:
    """Print figures as one JSON object, or one name and value per line."""
    if as_json:
        print(json.dumps(figures))
        return
    width = max(map(len, figures), default=0)
    for name, value in figures.items():
        print(f"{name:<{width}}  {value:.4g}" if isinstance(value, float) else f"{name:<{width}}  {value}")


# ------------------------------------------------------------------------------------------------------ arguments


class Parser(argparse.ArgumentParser):
    """An argument parser that complains in one sentence, as every other error here does."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; `{self.prog} --help` shows what it takes.\n")


def size(text: str) -> int:
    """The bytes that "4G", "800M" or a plain number stand for."""
    number, unit = (text[:-1], text[-1].upper()) if text[-1:].isalpha() else (text, "B")
    try:
        return int(float(number) * {"B": 1, "K": 1024, "M": 1024**2, "G": 1024**3}[unit])
    except (KeyError, ValueError, OverflowError):
        raise argparse.ArgumentTypeError(f"{text!r} is no size: give 4G or 800M") from None


def mask(text: str) -> str | Path:
    """One of the ways to make a mask, or the path of a mask file."""
    from .segment import KINDS

    return text if text in KINDS else Path(text)


def build_parser() -> argparse.ArgumentParser:
    """The commands and what each takes. Taught in notebook 05."""
    parser = Parser(prog="textedit-lite", description="Edit a picture by describing the change.")
    parser.set_defaults(run=None)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")

    def command(
        run: Callable[[argparse.Namespace], int], text: str, stopped: str = "Interrupted.", **options
    ) -> argparse.ArgumentParser:  # fmt: skip
        added = commands.add_parser(run.__name__, help=text, description=text, **options)
        added.set_defaults(run=run, stopped=stopped)
        return added

    every = (
        _edit_arguments, _replay_arguments, _scenes_arguments, _train_arguments, _score_arguments,
        _stamp_arguments, _grade_arguments, _release_arguments, _fetch_arguments, _doctor_arguments,
        _evaluate_arguments, _tune_arguments, _report_arguments, _version_arguments,
    )  # fmt: skip
    for add_arguments in every:
        add_arguments(command)
    return parser
