"""The largest batch that fits into a GPU's memory, found by trying."""

from __future__ import annotations

import torch

from cass.config.pretrain import PretrainConfig
from cass.errors import CassError
from cass.hardware import precision, torch_device
from cass.methods.base import Method

SMALLEST, LARGEST = 8, 1024
CPU_BATCH = 16  # more are no faster on a processor, and the published recipe has as many


def largest_batch(method: Method, config: PretrainConfig, *, views: int, images: int, world_size: int) -> int:
    """Find a batch size.

    Args:
        method: What is trained; its weights and statistics are left as they were.
        config: Settings of the run.
        views: Views an image.
        images: Number of training images, which no batch exceeds.
        world_size: Processes that share a batch.

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
    while size <= LARGEST and (size == SMALLEST or size * world_size * config.accumulate <= images):
        if not _fits(method, config, batch=size, views=views, device=device):
            break
        fitting, size = size, 2 * size
    if not fitting:
        raise CassError(
            f"Not even {SMALLEST} images of {config.image_size} px fit into the GPU's memory",
            "Use --gradient-checkpointing, a smaller --image-size or smaller networks.",
        )
    return fitting * world_size * config.accumulate


def _fits(method: Method, config: PretrainConfig, *, batch: int, views: int, device: torch.device) -> bool:
    """Try a step; Adam's two moments and the average are allowed for by as many copies of the weights."""
    before = {name: value.clone() for name, value in method.state_dict().items()}
    shape = (batch, config.in_chans, config.image_size, config.image_size)
    kept: list[torch.Tensor] = []
    try:
        method.to(device)
        kept = [torch.zeros_like(value) for value in method.parameters() for _ in range(3)]
        images = [torch.rand(shape, device=device) for _ in range(views)]
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
