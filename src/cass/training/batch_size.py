"""The batch size: as asked, or the largest that fits into a GPU's memory, found by trying."""

from __future__ import annotations

import logging

import torch

from cass.config.pretrain import PretrainConfig
from cass.errors import CassError, ConfigError
from cass.hardware import precision, torch_device
from cass.methods.base import Method
from cass.training.ranks import world_size

log = logging.getLogger("cass")

SMALLEST, LARGEST = 8, 1024
CPU_BATCH = 16  # more are no faster on a processor, and the published recipe has as many


def settle_batch_size(
    config: PretrainConfig, method: Method, *, num_views: int, images: int, earlier: int | None
) -> int:
    """Resolve the batch size; a resumed run keeps its own.

    Args:
        config: Settings of the run.
        method: What is trained; its weights and statistics are left as they were.
        num_views: Views of an image.
        images: Number of training images.
        earlier: The batch size of the resumed run; None for a new run.

    Returns:
        Images per step, over all processes.

    Raises:
        ConfigError: Where the step is too small to be shared.
        CassError: Where not even 8 images fit into the GPU's memory.
    """
    processes = world_size(config)
    smallest = 2 * processes * config.accumulate
    if config.batch_size != "auto":
        size = config.batch_size
    elif earlier is not None:
        size = earlier
    else:
        size = largest_batch(method, config, num_views=num_views, images=images, processes=processes)
        log.info("Batch size: %d images per step.", size)
    if min(size, images) < smallest:
        raise ConfigError(
            f"A step of {min(size, images)} images cannot be split into {smallest // 2} parts of at least 2",
            f"Use at least --batch-size {smallest} and as many training images, fewer --devices, or a lower "
            "--accumulate.",
        )
    return size


def largest_batch(method: Method, config: PretrainConfig, *, num_views: int, images: int, processes: int) -> int:
    """Find a batch size.

    Args:
        method: What is trained; its weights and statistics are left as they were.
        config: Settings of the run.
        num_views: Views of an image.
        images: Number of training images, which no batch exceeds.
        processes: Processes that share a batch.

    Returns:
        On a GPU the largest power of two, from 8 to 1,024 images a process, whose forward and backward pass
        fit with the optimiser's state, times the processes and the parts of a step; on a CPU 16.

    Raises:
        CassError: Where not even 8 images fit.
    """
    device = torch_device(config)
    if device.type != "cuda":
        return CPU_BATCH
    fitting, size = 0, SMALLEST
    while size <= LARGEST and (size == SMALLEST or size * processes * config.accumulate <= images):
        if not _fits(method, config, batch=size, num_views=num_views, device=device):
            break
        fitting, size = size, 2 * size
    if not fitting:
        raise CassError(
            f"Not even {SMALLEST} images of {config.image_size} px fit into the GPU's memory",
            "Use --gradient-checkpointing, a smaller --image-size or smaller networks.",
        )
    return fitting * processes * config.accumulate


def _fits(method: Method, config: PretrainConfig, *, batch: int, num_views: int, device: torch.device) -> bool:
    """Try a step; Adam's two moments and the average are allowed for by as many copies of the weights."""
    before = {name: value.clone() for name, value in method.state_dict().items()}
    shape = (batch, config.in_chans, config.image_size, config.image_size)
    kept: list[torch.Tensor] = []
    try:
        method.to(device)
        kept = [torch.zeros_like(value) for value in method.parameters() for _ in range(3)]
        images = [torch.rand(shape, device=device) for _ in range(num_views)]
        with torch.autocast(device.type, torch.bfloat16, enabled=precision(config) == "bf16-mixed"):
            loss = method(images, torch.zeros(batch, dtype=torch.long)).loss
        loss.backward()
        return True
    except torch.OutOfMemoryError:
        return False
    finally:
        kept.clear()
        method.zero_grad(set_to_none=True)
        method.to("cpu").load_state_dict(before)
        if device.type == "cuda":
            torch.cuda.empty_cache()
