"""The limit: the two networks' own arithmetic and nothing else."""

from __future__ import annotations

import time

import torch
from torch import Tensor, nn

from cass.benchmarking.speed.contestants import Timing, adam, autocast, kernels, networks, pretrain_config
from cass.config.speed import SpeedConfig
from cass.hardware import keep_freed_memory, synchronize, torch_device


class Bare:
    """The limit: both networks forward, backward and an optimiser step on a batch that is ready.

    Memory formats are tried, and the fastest of each network is kept.
    """

    def __init__(self, config: SpeedConfig) -> None:
        keep_freed_memory()  # as training does
        self.config = pretrain_config(config)
        self.device = torch_device(self.config)
        self.batch = config.batch_size
        images = torch.rand(self.batch, 3, config.image_size, config.image_size, device=self.device)
        self.parts: list[tuple[nn.Module, Tensor]] = []
        self.formats: dict[str, str] = {}
        for name, branch in networks(self.config).items():
            network = branch.backbone.to(self.device).train()
            trials = {}
            for label, layout in (("contiguous", torch.contiguous_format), ("channels last", torch.channels_last)):
                network.to(memory_format=layout)
                ready = images.contiguous(memory_format=layout)
                with kernels(self.config, network):
                    self._pass(network, ready)
                    trials[label] = min(self._timed(network, ready) for _ in range(3))
            best = min(trials, key=trials.__getitem__)
            layout = torch.channels_last if best == "channels last" else torch.contiguous_format
            self.formats[name] = best
            self.parts.append((network.to(memory_format=layout), images.contiguous(memory_format=layout)))
        self.optimizer = adam(parameter for network, _ in self.parts for parameter in network.parameters())

    def _pass(self, network: nn.Module, images: Tensor) -> None:
        with autocast(self.config):
            loss = network(images).float().square().mean()
        loss.backward()

    def _timed(self, network: nn.Module, images: Tensor) -> float:
        synchronize(self.device)
        start = time.perf_counter()
        self._pass(network, images)
        synchronize(self.device)
        return time.perf_counter() - start

    def run(self, steps: int) -> Timing:
        """Do some steps."""
        with kernels(self.config, nn.ModuleList([network for network, _ in self.parts])):
            return self._run(steps)

    def _run(self, steps: int) -> Timing:
        synchronize(self.device)
        start = time.perf_counter()
        for _ in range(steps):
            self.optimizer.zero_grad()
            with autocast(self.config):
                outputs = [network(images) for network, images in self.parts]
            losses = [output.float().square().mean() for output in outputs]
            torch.autograd.backward(losses)
            self.optimizer.step()
        synchronize(self.device)
        return Timing(steps * self.batch, time.perf_counter() - start, 0.0)

    def flops(self) -> float:
        """Count the floating-point operations of one step, a multiplication and an addition being two."""
        from torch.utils.flop_counter import FlopCounterMode

        with FlopCounterMode(display=False) as counter:
            for network, images in self.parts:
                self._pass(network, images)
        self.optimizer.zero_grad()
        return float(counter.get_total_flops())
