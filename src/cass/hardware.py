"""What the machine offers: the device, the precision that it computes fast in, worker processes."""

from __future__ import annotations

import ctypes
import sys
from typing import Any

import torch

from cass.config.shared import ComputeSettings
from cass.errors import ConfigError

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h


def accelerator(device: str) -> str:
    """Choose Lightning's accelerator.

    Args:
        device: ``auto``, ``cpu``, ``gpu`` or ``mps``.

    Returns:
        ``cuda``, ``mps`` or ``cpu``.

    Raises:
        ConfigError: Where the device asked for is not there.
    """
    there = {"gpu": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if device == "auto":
        device = "gpu" if there["gpu"] else "cpu"
    if not there[device]:
        raise ConfigError(f"--device {device}: this machine has none that torch can use", "Use --device cpu.")
    return "cuda" if device == "gpu" else device


def precision(settings: ComputeSettings) -> Any:
    """Choose Lightning's precision.

    Args:
        settings: The command's settings.

    Returns:
        ``bf16-mixed`` where asked for, or where it is left open and the hardware multiplies bf16 matrices;
        else ``32-true``. A processor without AVX-512 BF16 or AMX emulates bf16 many times slower than
        32-bit floats, so it never gets it by itself.
    """
    if settings.precision != "auto":
        return "bf16-mixed" if settings.precision == "bf16" else "32-true"
    if accelerator(settings.device) == "cuda":
        return "bf16-mixed" if torch.cuda.get_device_capability() >= (8, 0) else "32-true"
    if accelerator(settings.device) == "mps":
        return "32-true"
    return "bf16-mixed" if _cpu_has_bf16() else "32-true"


def is_bf16_on_cpu(settings: ComputeSettings) -> bool:
    """Tell whether a CPU trains with bf16 autocast."""
    return accelerator(settings.device) == "cpu" and precision(settings) == "bf16-mixed"


def _cpu_has_bf16() -> bool:
    checks = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, name, bool)() for name in checks)


def torch_device(settings: ComputeSettings) -> torch.device:
    """Return the torch device of the settings, for work outside Lightning."""
    return torch.device(accelerator(settings.device))


def synchronize(device: torch.device) -> None:
    """Wait until a GPU has done all that it was given; other devices have nothing to wait for."""
    if device.type == "cuda":
        torch.cuda.synchronize()


def peak_memory(device: torch.device) -> int:
    """Return the most bytes that this process has taken so far: of the GPU, or of the machine's memory."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated())
    import resource  # not on every system

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def workers(settings: ComputeSettings) -> int:
    """Return how many processes fetch batches: as asked, else none beside a CPU and 2 beside a GPU."""
    if settings.num_workers is not None:
        return settings.num_workers
    # A batch is copied out of one array, so two keep any GPU fed; a CPU is better used for training.
    return 0 if accelerator(settings.device) == "cpu" else 2


def keep_freed_memory() -> None:
    """Let the process keep the memory that a step frees for the next one.

    Left to itself glibc hands large blocks back to the system at once, and every step pays again for
    having each page mapped and zeroed. Other allocators are left as they are.
    """
    if not sys.platform.startswith("linux"):
        return
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)
    if set_option is None:
        return
    for option, value in ((_M_MMAP_THRESHOLD, 1 << 30), (_M_TRIM_THRESHOLD, 2**31 - 1)):
        set_option(option, value)
