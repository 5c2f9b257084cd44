"""Where weights come from: a local safetensors file, or a folder that holds one. Nothing is unpickled."""

from __future__ import annotations

from pathlib import Path

from safetensors import SafetensorError, safe_open

from cass.errors import ModelError


def weight_file(path: Path, *, option: str) -> Path:
    """Find the safetensors file that a user means.

    Args:
        path: A safetensors file, or a folder with exactly one (or with ``model.safetensors``).
        option: Name of the user's option, for messages.

    Returns:
        The file.

    Raises:
        ModelError: Where there is none, there are several, or it is not a safetensors file.
    """
    if path.is_dir():
        found = sorted(path.glob("*.safetensors"))
        preferred = [file for file in found if file.name == "model.safetensors"]
        if len(preferred or found) != 1:
            raise ModelError(
                f"{option} {path} holds {len(found) or 'no'} safetensors files", "Name the file itself."
            )
        path = (preferred or found)[0]
    if not path.is_file():
        raise ModelError(f"{option} {path} does not exist", "Pass a safetensors file, 'imagenet' or 'none'.")
    keys(path, option=option)
    return path


def keys(path: Path, *, option: str = "weights") -> dict[str, tuple[int, ...]]:
    """List the tensors of a safetensors file.

    Args:
        path: The file.
        option: Name of the user's option, for messages.

    Returns:
        Shape by name.

    Raises:
        ModelError: Where it is not a safetensors file.
    """
    try:
        with safe_open(path, framework="pt") as tensors:
            return {name: tuple(tensors.get_slice(name).get_shape()) for name in tensors.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise ModelError(
            f"{option} {path} is not a safetensors file ({error})",
            "Save the weights with safetensors; cass does not unpickle files.",
        ) from None


def classifier_width(path: Path, classifier: str | tuple[str, ...] | None) -> int:
    """Tell how many classes the classifier in a weight file has.

    Args:
        path: A safetensors file with timm's names.
        classifier: timm's name of the classifier.

    Returns:
        Number of classes, 0 where the file has no classifier.
    """
    if not isinstance(classifier, str):
        return 0
    shape = keys(path).get(f"{classifier}.weight")
    return shape[0] if shape else 0
