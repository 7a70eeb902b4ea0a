"""Opens any picture as PIL RGB, and writes results completely or not at all."""

from __future__ import annotations

import contextlib
import io
import os
import secrets
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import ExifTags, Image, ImageChops

from textedit_lite.errors import ImageError, OutputError

MAX_PIXELS = 100_000_000
MIN_SIDE = 16
MAX_ASPECT = 50  # of the longer to the shorter side; the detector makes the longer one 384 or 1333 pixels, and needs some of the shorter
OVERSHOOT = 0.5  # how far outside 0 to 1 floats are still clipped: a bicubic resize makes such ones, and no range of 0 to 255 is so small
# What undoes each of EXIF's orientations; 1 is upright. Pillow's own `exif_transpose` writes the tags anew, and stumbles over damaged ones.
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM, 5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE, 8: Image.Transpose.ROTATE_90,
}  # fmt: skip

ImageSource = str | os.PathLike | BinaryIO | Image.Image | np.ndarray


def open_image(source: ImageSource, under: str = "white", mask: bool = False, upright: bool = True) -> Image.Image:
    """Opens a picture from a path, a binary file, a PIL image or an array, as PIL RGB of its own size.

    EXIF rotation is applied; colours are brought to sRGB by the profile that comes with them; what is transparent shows
    the colour `under`; of an animation the first frame is taken; 16 and 32 bit are scaled to 8, not clipped. Arrays are
    [height, width] or [height, width, 1 to 4], of booleans, integers, or floats from 0 to 1 (a little beyond is clipped)
    or 0 to 255. A path may begin with ~. The result shares no memory with the source.

    mask: whether it is a mask: a largest value of 1 is white, colour profiles are ignored, and no size is too small.
    upright: False leaves the pixels as they are stored, whatever EXIF says about their orientation.

    Raises ImageError for what is not a picture, is damaged, has more than MAX_PIXELS (read in the header, before a pixel
    is decoded), a side shorter than MIN_SIDE pixels, or one MAX_ASPECT times as long as the other. Taught in notebook 01.
    """
    if isinstance(source, Image.Image):
        return _decoded(source, "The mask" if mask else "The picture", under, mask, upright)
    if isinstance(source, np.ndarray):
        return _from_array(source, under, mask)
    if hasattr(source, "read"):
        with _opened(source, "The file") as image:
            return _decoded(image, "The file", under, mask, upright)
    path = _picture_path(source)
    with _opened(path, f'"{path}"') as image:
        return _decoded(image, f'"{path}"', under, mask, upright)


def check_output(path: str | os.PathLike, suffix: str = ".png", keep: Iterable[str | os.PathLike] = ()) -> Path:
    """The path of a file that can be written, with ~ as your home: checked first, so that no minutes of work are lost.

    keep: files that it must not overwrite, such as the picture that is edited.

    Raises OutputError if its name does not end in `suffix` (in capitals or not), it is one of `keep`, or its folder is not
    there or must not be written to. Taught in notebook 05.
    """
    path = Path(os.path.expanduser(path))
    if path.suffix.lower() != suffix:  # "", "." and "/" have none
        kind = suffix.removeprefix(".").upper()
        raise OutputError(f'"{path}" is no name of a {kind} file: give one that ends in {suffix}, such as result{suffix}.')
    target = _target(path)
    if not os.access(target.parent, os.W_OK | os.X_OK):
        raise OutputError(f'"{path}" cannot be written, as its folder takes no new files: write somewhere else.')
    if any(_same_file(target, other) for other in keep):
        raise OutputError(f'"{path}" would overwrite a file that this edit reads or writes: choose another name.')
    return path


def result_files(path: str | os.PathLike, keep: Iterable[str | os.PathLike] = ()) -> tuple[Path, Path, Path]:
    """Where an edit that is saved at `path` goes: its PNG, and beside it what is known of it (.json) and its mask (.mask.png).

    keep: files that none of them may overwrite. Raises OutputError as `check_output` does. Taught in notebook 05.
    """
    kept = list(keep)
    path = check_output(path, keep=kept)
    beside = check_output(path.with_suffix(".json"), ".json", kept)
    return path, beside, check_output(path.with_suffix(".mask.png"), keep=kept)


def save_png(image: Image.Image, path: str | os.PathLike, metadata: Mapping[str, str] | None = None) -> None:
    """Writes a PNG, all of it or nothing, with `metadata` as its text chunks (tEXt, or iTXt beyond Latin-1).

    An existing file is replaced only when the new one is complete. Raises OutputError if the name is of another kind
    of picture, or if the place cannot be written. Taught in notebook 05.
    """
    if Image.registered_extensions().get(Path(path).suffix.lower(), "PNG") != "PNG":
        raise OutputError(f'Results are PNG files: give "{path}" a name that ends in .png.')
    write_files({path: png_bytes(image, metadata)})


def png_bytes(image: Image.Image, metadata: Mapping[str, str] | None = None) -> bytes:
    """A picture as the content of a PNG file, with `metadata` as its text chunks."""
    from PIL.PngImagePlugin import PngInfo

    text = PngInfo()
    for key, value in (metadata or {}).items():
        text.add_text(key, _encodable(value))
    content = io.BytesIO()
    image.save(content, format="PNG", pnginfo=text)
    return content.getvalue()


def write_text(path: str | os.PathLike, text: str) -> None:
    """Writes a UTF-8 text file, all of it or nothing; raises OutputError as `save_png` does. Taught in notebook 05."""
    write_files({path: text})


def write_files(contents: Mapping[str | os.PathLike, bytes | str]) -> None:
    """Writes files that belong together: the last one takes its place first, and none does before all are complete.

    Text becomes UTF-8. Raises OutputError as `save_png` does.
    """
    with contextlib.ExitStack() as files:
        for path, content in contents.items():
            data = _encodable(content).encode("utf-8") if isinstance(content, str) else content
            files.enter_context(_replacing(path)).write(data)


def make_folder(path: str | os.PathLike) -> Path:
    """The path of a folder, which is made if it is not there, with all above it; raises OutputError if that cannot be done."""
    try:
        Path(path).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"Cannot write to {path} ({error.strerror}): choose another folder.") from error
    return Path(path)


def read_metadata(path: str | os.PathLike) -> dict[str, str]:
    """The text chunks of a PNG, {} for a picture without any; raises ImageError as `open_image` does.

    Taught in notebook 05.
    """
    path = _picture_path(path)
    with _opened(path, f'"{path}"') as image, _damage_reported(f'"{path}"'):
        return {key: str(value) for key, value in getattr(image, "text", {}).items()}


def _picture_path(source: str | os.PathLike) -> Path:
    """The path of an ordinary file with something in it."""
    try:
        path = Path(os.path.expanduser(source))
        if path.is_dir():
            raise ImageError(f'"{path}" is a folder: name the picture in it.')
        size = path.stat().st_size
        ordinary = path.is_file()
    except TypeError as error:
        raise ImageError(f"A {type(source).__name__} is no picture: give a path, a PIL image or an array.") from error
    except FileNotFoundError as error:
        raise ImageError(f'There is no file "{path}": check its name and folder.') from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ImageError(f'"{source}" cannot be read ({reason}): check its name and your rights to it.') from error
    if not ordinary:
        raise ImageError(f'"{path}" is no ordinary file: save the picture to one first.')
    if size == 0:
        raise ImageError(f'"{path}" is empty, zero bytes long: fetch or save the picture again.')
    return path


@contextlib.contextmanager
def _opened(source: Path | BinaryIO, name: str) -> Iterator[Image.Image]:
    """The image with its header read and its size checked."""
    with _damage_reported(name):
        image = Image.open(source)
    with image:
        _check_size(image.size, name)
        yield image


@contextlib.contextmanager
def _damage_reported(name: str) -> Iterator[None]:
    """Turns what Pillow raises into ImageError; on damaged bytes its decoders raise nearly every kind of exception.

    Its warnings are about what does not matter here: tags that it cannot read, and sizes above a lower limit than MAX_PIXELS.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except ImageError:
        raise
    except Image.DecompressionBombError as error:
        raise ImageError(f"{name} has more than {MAX_PIXELS // 10**6} megapixels: scale it down first.") from error
    except Image.UnidentifiedImageError as error:
        raise ImageError(f"{name} is no picture that can be read: give a PNG, JPEG, WebP, GIF, BMP or TIFF.") from error
    except PermissionError as error:
        raise ImageError(f"{name} cannot be read ({error.strerror}): check your rights to it.") from error
    except Exception as error:
        reason = str(error).strip(" .") or type(error).__name__
        raise ImageError(f"{name} cannot be decoded ({reason}): it is damaged, so fetch or save it again.") from error


def _check_size(size: tuple[int, int], name: str) -> None:
    width, height = size
    if width * height > MAX_PIXELS:
        limit = f"{MAX_PIXELS / 1e6:g} megapixels"
        raise ImageError(f"{name} has {width}x{height} pixels, more than {limit}: scale it down first.")


def _check_sides(size: tuple[int, int], name: str) -> None:
    width, height = size
    if min(width, height) < MIN_SIDE:
        raise ImageError(f"{name} has {width}x{height} pixels: both sides must have {MIN_SIDE} or more.")
    if max(width, height) > MAX_ASPECT * min(width, height):
        raise ImageError(f"{name} has {width}x{height} pixels, one side more than {MAX_ASPECT} times the other: cut a part out first.")


def _decoded(image: Image.Image, name: str, under: str, mask: bool, upright: bool) -> Image.Image:
    """A new RGB image from any PIL image."""
    _check_size(image.size, name)
    if not mask:  # whoever has a mask's picture refuses the mask if its size differs
        _check_sides(image.size, name)
    with _damage_reported(name):
        image.load()
        turn = _turn(image) if upright else None
        image = image.copy() if turn is None else image.transpose(turn)
        flat, to_srgb = _flat(image, under, mask), None if mask else _to_srgb(image)
        if to_srgb:
            rgb = to_srgb(flat)
        elif flat.mode == "RGB" and turn is None:
            rgb = flat  # no second copy: a large picture's is tens of megabytes
        else:
            rgb = flat.convert("RGB")
    rgb.info = {}
    return rgb


def _turn(image: Image.Image) -> Image.Transpose | None:
    """The turn that brings an image upright, by its EXIF; None if it is upright, or the EXIF is too damaged to tell."""
    try:
        return TURNS.get(image.getexif().get(ExifTags.Base.Orientation))
    except Exception:  # damaged bytes raise nearly every kind
        return None


def _flat(image: Image.Image, under: str, mask: bool) -> Image.Image:
    """The image with 8 bits a channel and nothing transparent, in the colours that it came in."""
    if _is_wide(image):
        values = np.asarray(image)
        return Image.fromarray(_eight_bits(_white_ones(values) if mask else values, stretch=True))
    if image.has_transparency_data:
        over = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", over.size, under), over).convert("RGB")
    if mask:
        image = image.convert("RGB")
        if max(high for _, high in image.getextrema()) == 1:
            image = image.point(([0] + [255] * 255) * 3)
    return image


def _is_wide(image: Image.Image) -> bool:
    return image.mode == "F" or image.mode.startswith("I")


def _to_srgb(image: Image.Image) -> Callable[[Image.Image], Image.Image] | None:
    """What brings the image's colours to sRGB, by the profile that it carries; None if they are sRGB, or no profile can tell.

    A profile that is damaged, or has other channels than the image, counts as none. One that would move no colour by more than
    a step of 255 counts as sRGB, whatever its name: cameras write many such profiles, and the pixels stay as they are.
    """
    profile = image.info.get("icc_profile")
    if not profile and image.mode != "LAB":
        return None
    from PIL import ImageCms

    # Little CMS raises several kinds of errors; the ImportError is that of a Pillow which was built without it.
    with contextlib.suppress(OSError, ValueError, TypeError, ImportError, ImageCms.PyCMSError):
        lab = image.mode == "LAB"  # means the same colours everywhere
        source = ImageCms.createProfile("LAB") if lab else ImageCms.ImageCmsProfile(io.BytesIO(profile))
        mode = "LAB" if lab else {"GRAY": "L", "RGB ": "RGB", "CMYK": "CMYK"}.get(source.profile.xcolor_space)
        if mode not in _channels(image):
            return None
        # In-gamut colours as they are, and black as black, as photo editors do.
        intent, flags = ImageCms.Intent.RELATIVE_COLORIMETRIC, ImageCms.Flags.BLACKPOINTCOMPENSATION
        transform = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB", intent, flags)
        if mode in ("L", "RGB"):
            levels = np.arange(0, 256, 51, dtype=np.uint8)
            probe = Image.fromarray(np.stack(np.meshgrid(levels, levels, levels), -1).reshape(12, 18, 3)).convert(mode)
            moved = ImageChops.difference(transform.apply(probe), probe.convert("RGB"))
            if max(high for _, high in moved.getextrema()) <= 1:
                return None
        return lambda flat: transform.apply(flat.convert(mode))
    return None


def _channels(image: Image.Image) -> tuple[str, ...]:
    """The modes in which a profile for this image may see it: grey files with the profile of a screen are common."""
    if image.mode in ("CMYK", "LAB"):
        return (image.mode,)
    return ("L", "RGB") if image.mode in ("1", "L", "LA", "La") or _is_wide(image) else ("RGB",)


def _from_array(array: np.ndarray, under: str, mask: bool) -> Image.Image:
    channels = array.shape[2:] or (1,)
    if array.ndim < 2 or channels not in ((1,), (2,), (3,), (4,)) or array.dtype.kind not in "buif" or not array.size:
        given = f"{'x'.join(map(str, array.shape)) or 'single'} array of {array.dtype}"
        raise ImageError(f"A {given} is no picture: give numbers as [height, width] or [height, width, 1 to 4].")
    _check_size((array.shape[1], array.shape[0]), "The array")
    if not mask:
        _check_sides((array.shape[1], array.shape[0]), "The array")
    pixels = _eight_bits(_white_ones(array) if mask else array, stretch=False)
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    return _flat(Image.fromarray(pixels), under, mask=False).convert("RGB")  # a copy, of RGB too


def _white_ones(values: np.ndarray) -> np.ndarray:
    """A mask's values, as booleans if 1 is the largest: that is how programs write what is not a picture."""
    return values > 0 if values.dtype.kind in "iu" and values.max() == 1 else values


def _eight_bits(values: np.ndarray, stretch: bool) -> np.ndarray:
    """Scales numbers to uint8 by the range of their type; beyond any known range, by their own range or not at all."""
    if values.dtype == np.uint8:
        return values
    if values.dtype.kind == "b":
        return values * np.uint8(255)
    if not np.isfinite(values).all():
        raise ImageError("The picture holds values that are no numbers: replace its NaN and infinite pixels.")
    low, high = 0.0, 255.0
    if values.dtype.kind == "f" and values.min() >= -OVERSHOOT and values.max() <= 1 + OVERSHOOT:
        values, high = values.clip(0, 1), 1.0
    elif values.dtype.kind in "iu" and (values.dtype.str[1:] == "u2" or values.max() > 255):
        high = 65535.0
    if values.min() < low or values.max() > high:
        if not stretch:
            raise ImageError(
                f"The array runs from {values.min():g} to {values.max():g}: give 0 to 1, 0 to 255, or 16 bit integers."
            )
        low, high = float(values.min()), float(values.max())
    return np.round((values.astype(np.float64) - low) * (255 / ((high - low) or 1))).astype(np.uint8)


def _encodable(text: str) -> str:
    """The text with what UTF-8 cannot hold (lone surrogates, as in undecodable file names) written as escapes."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _same_file(one: Path, other: str | os.PathLike) -> bool:
    """Whether two names stand for one file, through whatever links; neither needs to be there."""
    other = os.path.expanduser(other)
    with contextlib.suppress(OSError):
        return os.path.samefile(one, other)
    return os.path.realpath(one) == os.path.realpath(other)


def _target(path: str | os.PathLike) -> Path:
    """The ordinary file that a name stands for, or can, in a folder that is there; raises OutputError."""
    try:
        target = Path(os.path.realpath(path))  # through a link, as plain writing would
        if target.is_dir():
            raise OutputError(f'"{path}" is a folder: name a file in it.')
        if not target.parent.is_dir():
            raise OutputError(f'There is no folder "{target.parent}": make it, or write somewhere else.')
        if target.exists() and not target.is_file():
            raise OutputError(f'"{path}" is no ordinary file: write to another name.')
    except (OSError, ValueError) as error:  # too long a name, a zero in it, a folder that must not be looked into
        reason = getattr(error, "strerror", None) or error
        raise OutputError(f'"{path}" cannot be written ({reason}): write somewhere else.') from error
    return target


@contextlib.contextmanager
def _replacing(path: str | os.PathLike) -> Iterator[BinaryIO]:
    """A file beside `path` that takes its place when complete, and vanishes if anything (Ctrl-C too) goes wrong."""
    target = _target(path)
    part = target.with_name(f".{secrets.token_hex(8)}.part")
    try:
        with open(part, "xb") as file:
            yield file
        os.replace(part, target)
    except BaseException as error:
        with contextlib.suppress(OSError):
            part.unlink()
        if isinstance(error, OSError):
            reason = error.strerror or error
            # Windows replaces no file that a program has open, as Excel keeps its tables; only the replacing has two names.
            taken = isinstance(error, PermissionError) and error.filename2
            advice = f"{'close the program that has it open' if taken else 'free some space there'}, or write somewhere else"
            raise OutputError(f'"{path}" cannot be written ({reason}): {advice}.') from error
        raise
