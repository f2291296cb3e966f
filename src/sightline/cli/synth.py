"""`sightline data synth`: synthetic defects on real good pictures."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import click

from sightline.cli.options import PLACE, Number, json_option, quiet_option, seed_option
from sightline.cli.progress import Bars
from sightline.datasets.dataset import Dataset
from sightline.datasets.opening import open_dataset
from sightline.errors import OptionError
from sightline.files import refuse_unwritable
from sightline.imaging.writing import write_png
from sightline.synthesis.contact_sheet import contact_sheet
from sightline.synthesis.mixing import Mix, Share, in_all, shares
from sightline.synthesis.pasting import Limits
from sightline.synthesis.provenance import MIXED_FILE
from sightline.synthesis.spoiling import Kind, Run, SpoilConfig, write_synthetic

_USUAL_KINDS = (Kind.SCRATCH, Kind.CRACK, Kind.DENT, Kind.STAIN, Kind.MISSING)
_USUAL_NUMBER = 30  # per class
_SHARE = Number(min=0, min_open=True, max=1, max_open=True)


@click.command("synth")
@click.argument("good", type=PLACE)
@click.argument("target", type=PLACE)
@click.option(
    "--kinds",
    metavar="KIND[=LABEL],...",
    help=f"What to paint: {', '.join(Kind)}; with =LABEL under your own class's name, such as missing=broken.  "
    f"[default: {','.join(_USUAL_KINDS)}; nothing with --from-defects]",
)
@click.option(
    "--from-defects",
    type=PLACE,
    metavar="DATA",
    help="Cut real defects out of this data set, by their masks, and paste them. Only its training pictures are used.",
)
@click.option(
    "--per-class",
    type=click.IntRange(1, 100_000),
    metavar="NUMBER",
    help=f"Synthetic pictures of each class.  [default: {_USUAL_NUMBER}]",
)
@click.option(
    "--class-ratio",
    type=_SHARE,
    metavar="SHARE",
    help="Instead: the share of each class's training pictures that shall be synthetic. Needs real ones of it.",
)
@click.option(
    "--ratio",
    type=_SHARE,
    metavar="SHARE",
    help="Instead: the share of all training pictures that shall be synthetic; the rarest classes are filled first.",
)
@click.option(
    "--severity",
    default="0.1-1",
    metavar="LOW-HIGH",
    show_default=True,
    help="How obvious painted defects are: 0 hardly above the noise, 1 obvious; drawn evenly between the two.",
)
@click.option(
    "--turn-deg",
    type=Number(0, 180),
    default=10.0,
    metavar="DEGREES",
    show_default=True,
    help="Turn pasted defects by at most this, either way; 180 where they occur in every direction.",
)
@click.option(
    "--max-scale",
    type=Number(1, 2),
    default=1.2,
    metavar="FACTOR",
    show_default=True,
    help="Make pasted defects at most this many times larger or smaller.",
)
@click.option("--no-flip", is_flag=True, help="Do not mirror pasted defects.")
@click.option("--preview", type=PLACE, metavar="PNG", help="Write a sheet to look at: good, spoilt and mask of each.")
@click.option(
    "--max-megapixels",
    type=Number(min=0, min_open=True),
    metavar="NUMBER",
    default=16.0,
    show_default=True,
    help="Refuse larger pictures; each megapixel takes about 250 MB of memory.",
)
@seed_option("The same one gives the same pictures.")
@quiet_option
@json_option
def synth_command(
    good: Path,
    target: Path,
    kinds: str | None,
    from_defects: Path | None,
    per_class: int | None,
    class_ratio: float | None,
    ratio: float | None,
    severity: str,
    turn_deg: float,
    max_scale: float,
    no_flip: bool,
    preview: Path | None,
    max_megapixels: float,
    seed: int,
    quiet: bool,
    as_json: bool,
) -> None:
    """Put synthetic defects onto the good training pictures of the data set GOOD, and write them to the folder TARGET.

    For classes of which there are too few real pictures. Each synthetic picture has a mask and is marked, so that it
    is never tested with. TARGET/mixed.csv is the data set to train with: the real pictures with their own splits, and
    the synthetic ones in train. Look at the preview before you use them, and compare with and without on real pictures.

    \b
      sightline data synth parts/ spoilt/ --preview sheet.png
      sightline data synth parts.csv spoilt/ --from-defects parts.csv --ratio 0.3
      sightline data synth parts.csv spoilt/ --kinds crack,missing=broken --from-defects parts.csv
    """
    config = SpoilConfig(
        mix=_mix(per_class, class_ratio, ratio),
        kinds=_kinds(kinds, pasting=from_defects is not None),
        severity=_severity(severity),
        limits=Limits(turn_deg=turn_deg, scale=max_scale, flip=not no_flip),
        seed=seed,
        max_megapixels=max_megapixels,
    )
    if preview:
        refuse_unwritable(preview)
    dataset = open_dataset(good)
    defects: Dataset | None = open_dataset(from_defects) if from_defects else None
    with Bars(quiet=quiet) as bars:
        run = write_synthetic(dataset, target, config, defects=defects, progress=bars)
    if preview:
        write_png(preview, contact_sheet(target, run.made, max_megapixels))
    click.echo(json.dumps(_document(target, run), indent=2) if as_json else "\n".join(_lines(target, run, preview)))


def _mix(per_class: int | None, class_ratio: float | None, ratio: float | None) -> Mix:
    if sum(value is not None for value in (per_class, class_ratio, ratio)) > 1:
        raise click.UsageError("--per-class, --class-ratio and --ratio say the same thing; give one of them.")
    if class_ratio is None and ratio is None:
        per_class = per_class or _USUAL_NUMBER
    return Mix(per_class=per_class, class_ratio=class_ratio, ratio=ratio)


def _kinds(text: str | None, *, pasting: bool) -> dict[Kind, str]:
    if text is None:
        return {} if pasting else {kind: kind.value for kind in _USUAL_KINDS}
    found: dict[Kind, str] = {}
    for word in text.split(","):
        name, equals, label = (part.strip() for part in word.partition("="))
        if name not in set(Kind) or (equals and not label) or Kind(name) in found:
            raise OptionError(
                f'--kinds "{text}" is not understood at "{word}"; name each of {", ".join(Kind)} once at most, '
                "each with =LABEL if you like."
            )
        found[Kind(name)] = label or name
    return found


def _severity(text: str) -> tuple[float, float]:
    low, _, high = text.partition("-")
    try:
        return float(low), float(high or low)
    except ValueError:
        raise OptionError(f'--severity "{text}" is not understood; write 0.2-0.8, or 0.5 for all.') from None


def _lines(target: Path, run: Run, preview: Path | None) -> list[str]:
    found = shares(_counts(run), run.real)
    rows = [*found.items(), ("all", in_all(found))]
    width = max(len(label) for label, _ in rows)
    lines = [f"{'training':{width}}  real  synthetic  share synthetic"]
    lines += [f"{label:{width}}  {s.real:4}  {s.synthetic:9}  {100 * s.ratio:.0f} %" for label, s in rows]
    lines += [f"warning: not used: {reason}" for reason in run.unusable]
    lines += [f"look at them first: {preview}"] if preview else []
    return [*lines, f"written to {target}; to train with both: {target / MIXED_FILE}"]


def _counts(run: Run) -> dict[str, int]:
    labels: Sequence[str] = [one.label for one in run.made]
    return {label: labels.count(label) for label in dict.fromkeys(labels)}


def _document(target: Path, run: Run) -> dict[str, object]:
    found = shares(_counts(run), run.real)

    def told(share: Share) -> dict[str, float]:
        return {"real": share.real, "synthetic": share.synthetic, "ratio": round(share.ratio, 4)}

    return {
        "target": str(target),
        "mixed": str(target / MIXED_FILE),
        "training": {label: told(share) for label, share in found.items()},
        "all": told(in_all(found)),
        "unusable": list(run.unusable),
        "pictures": [asdict(one) for one in run.made],
    }
