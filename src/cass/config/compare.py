"""Settings of ``cass compare``."""

from __future__ import annotations

from pydantic import Field

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
