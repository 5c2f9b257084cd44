"""Settings of ``cass compare``."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from cass.config.finetune import TuneSettings
from cass.config.pretrain import PretrainConfig
from cass.config.verbs import verb


@verb(
    "compare",
    resolver="cass.resolve.compare:resolve_compare",
    forecaster="cass.workflows.compare:forecast_compare",
    order=90,
    arguments={"data": "IMAGES"},
    summary="Pretrain, fine-tune at several label fractions, and compare with no pretraining.",
    example="cass compare labels.csv --out runs/compare --epochs 50",
    returns="The results on the test images.",
)
class CompareConfig(PretrainConfig):
    """Settings of ``cass compare``: those of ``cass pretrain`` and, under ``finetune``, of fine-tuning."""

    label_fractions: tuple[float, ...] = Field(
        (0.01, 0.1, 1.0), min_length=1, description="Label fractions to fine-tune on, in (0, 1]."
    )
    finetune: TuneSettings = Field(
        default_factory=TuneSettings, description="Fine-tuning settings, as YAML: '{epochs: 20}'."
    )

    @model_validator(mode="after")
    def _settle_finetune(self) -> Self:
        """Settle what fine-tuning takes over, so that the file that a comparison is resumed from says it."""
        follows = {"seed": self.seed, "branch": self.branch, "unlabelled": "auto"}
        open_ = {key: value for key, value in follows.items() if key not in self.finetune.model_fields_set}
        object.__setattr__(self, "finetune", self.finetune.model_copy(update=open_))
        return self
