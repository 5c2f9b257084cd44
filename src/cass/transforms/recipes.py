"""Recipes of augmented views. A recipe is data: what is done, with which chance, how often.

Images arrive resized and in [0, 1]; normalisation belongs to each branch, because two pretrained
backbones may differ in it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from cass.errors import ConfigError
from cass.registry import Registry


@dataclass(frozen=True)
class Augmentation:
    """Operations applied together with one chance, in the order of the fields; 0 leaves one out.

    Attributes:
        chance: Probability in [0, 1].
        brightness: Most relative change of brightness.
        contrast: Most relative change of contrast.
        saturation: Most relative change of saturation; of RGB images only.
        hue: Most turn of the hue, as a share of the colour circle; of RGB images only.
        grey: Whether the colours go; of RGB images only.
        blur: Greatest standard deviation of a Gaussian blur, as a share of the side.
        solarize: Whether values from the middle of the range on are inverted.
        crop: Smallest share of the area that a random crop keeps before it is scaled to the view; 1 keeps all.
        crop_most: Greatest share of the area that it keeps.
        perspective: Most distortion of the corners, as a share of half the side.
        degrees: Most rotation to either side, in degrees.
        flip: Axis to mirror along.
    """

    chance: float
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0
    grey: bool = False
    blur: float = 0.0
    solarize: bool = False
    crop: float = 1.0
    crop_most: float = 1.0
    perspective: float = 0.0
    degrees: float = 0.0
    flip: Literal["", "horizontal", "vertical"] = ""


@dataclass(frozen=True)
class ViewKind:
    """Views that share their augmentations.

    Attributes:
        augmentations: What is done, in order.
        count: Number of views.
        size: Side as a share of the images' side, in (0, 1]; below 1 every image is cropped first.
    """

    augmentations: tuple[Augmentation, ...]
    count: int = 1
    size: float = 1.0

    def __post_init__(self) -> None:
        cropped = bool(self.augmentations) and self.augmentations[0].crop < 1 and self.augmentations[0].chance == 1
        if self.size < 1 and not cropped:
            raise ValueError("small views start with a crop of every image")


@dataclass(frozen=True)
class ViewRecipe:
    """How the views of each image are made.

    Attributes:
        name: Name of the recipe.
        kinds: The views, those of full size first.
        modality: Whether it is made for one kind of images, and so holds for fine-tuning as for pretraining.
    """

    name: str
    kinds: tuple[ViewKind, ...]
    modality: bool = False

    @property
    def num_views(self) -> int:
        """Number of views per image."""
        return sum(kind.count for kind in self.kinds)

    @property
    def num_small(self) -> int:
        """Number of views below full size."""
        return sum(kind.count for kind in self.kinds if kind.size < 1)


RECIPES: Registry[ViewRecipe] = Registry("view recipe")


def fit_recipe(recipe: ViewRecipe, *, num_views: int, takes_small: bool) -> ViewRecipe:
    """Fit a recipe to what a method takes.

    Args:
        recipe: The recipe; one of a single view is drawn as often as is needed.
        num_views: Views of full size that the method takes.
        takes_small: Whether it takes smaller ones besides.

    Returns:
        The recipe, of so many views.

    Raises:
        ConfigError: Where it makes other views.
    """
    if recipe.num_views == 1:
        (kind,) = recipe.kinds
        return replace(recipe, kinds=(replace(kind, count=num_views),))
    if recipe.num_views - recipe.num_small != num_views or (recipe.num_small and not takes_small):
        raise ConfigError(
            f"--views {recipe.name} makes {recipe.num_views} views per image; the method takes {num_views}",
            "Drop --views, or use a recipe of a single view, such as paper.",
        )
    return recipe


def tuning_views(pretraining: str | None) -> str:
    """Return the recipe of fine-tuning where the user names none.

    Args:
        pretraining: What the user named for pretraining, if anything.

    Returns:
        The same where it was made for one kind of images, else ``paper``.
    """
    if pretraining is not None and pretraining in RECIPES and RECIPES[pretraining].modality:
        return pretraining
    return "paper"


def _register(name: str, *augmentations: Augmentation, modality: bool = False) -> None:
    RECIPES.register(name)(ViewRecipe(name, (ViewKind(augmentations),), modality))


_register("none")
# Source: the published CASS code. Its bare ColorJitter(0.2) changes brightness only, which also suits
# grey and multi-channel images; the resize of the recipe is done once, when images are decoded.
_register(
    "paper",
    Augmentation(chance=0.3, brightness=0.2, perspective=0.2),
    Augmentation(chance=0.3, brightness=0.2, degrees=10.0),
    Augmentation(chance=0.3, flip="horizontal"),
    Augmentation(chance=0.3, flip="vertical"),
)
# The default of cass: what is safe where nothing is known of the modality. Colours stay as they are.
_register(
    "general",
    Augmentation(chance=1.0, crop=0.5),
    Augmentation(chance=0.5, flip="horizontal"),
    Augmentation(chance=0.5, degrees=15.0),
    Augmentation(chance=0.5, brightness=0.2, contrast=0.2),
    Augmentation(chance=0.2, blur=0.01),
)
# The presets below keep what is diagnostic in their modality. Radiology: laterality and grey values matter, so
# no flips and only small changes. Microscopy: no orientation, and stains vary. Dermoscopy: no orientation, and
# colour is a sign of disease, so hue is kept.
_register(
    "radiology",
    Augmentation(chance=1.0, crop=0.6),
    Augmentation(chance=0.5, degrees=10.0),
    Augmentation(chance=0.5, brightness=0.2, contrast=0.2),
    Augmentation(chance=0.2, blur=0.01),
    modality=True,
)
_register(
    "microscopy",
    Augmentation(chance=1.0, crop=0.4),
    Augmentation(chance=0.5, degrees=180.0),
    Augmentation(chance=0.5, flip="horizontal"),
    Augmentation(chance=0.8, brightness=0.2, contrast=0.2, saturation=0.2, hue=0.05),
    Augmentation(chance=0.2, blur=0.01),
    modality=True,
)
_register(
    "dermoscopy",
    Augmentation(chance=1.0, crop=0.4),
    Augmentation(chance=0.5, degrees=180.0),
    Augmentation(chance=0.5, flip="horizontal"),
    Augmentation(chance=0.8, brightness=0.2, contrast=0.2, saturation=0.1),
    Augmentation(chance=0.2, blur=0.01),
    modality=True,
)

# What follows are the views of other methods, with the numbers of lightly's default transforms, whose blur of up
# to 2 pixels is meant for sides of 224, or of 96 in small views.
_FLIP = Augmentation(chance=0.5, flip="horizontal")
_TO_GREY = Augmentation(chance=0.2, grey=True)
_BLUR, _BLUR_SMALL = 2 / 224, 2 / 96
_SMALL = 96 / 224


def _jitter(strength: float, *, brightness: float, contrast: float, saturation: float, hue: float) -> Augmentation:
    return Augmentation(
        chance=0.8,
        brightness=strength * brightness,
        contrast=strength * contrast,
        saturation=strength * saturation,
        hue=strength * hue,
    )


def _crop(smallest: float, most: float = 1.0) -> Augmentation:
    return Augmentation(chance=1.0, crop=smallest, crop_most=most)


_STRONG = _jitter(1.0, brightness=0.8, contrast=0.8, saturation=0.8, hue=0.2)
_MILD = _jitter(0.5, brightness=0.8, contrast=0.8, saturation=0.4, hue=0.2)
_EVEN = _jitter(1.0, brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1)

# Chen et al., A Simple Framework for Contrastive Learning, ICML 2020, appendix A.
RECIPES.register("simclr")(
    ViewRecipe(
        "simclr",
        (ViewKind((_crop(0.08), _FLIP, _STRONG, _TO_GREY, Augmentation(chance=0.5, blur=_BLUR)), count=2),),
    )
)
# Grill et al., Bootstrap Your Own Latent, NeurIPS 2020, appendix B; Barlow Twins and MoCo v3 use the same.
RECIPES.register("byol")(
    ViewRecipe(
        "byol",
        (
            ViewKind((_crop(0.08), _FLIP, _MILD, _TO_GREY, Augmentation(chance=1.0, blur=_BLUR))),
            ViewKind(
                (
                    *(_crop(0.08), _FLIP, _MILD, _TO_GREY),
                    *(Augmentation(chance=0.1, blur=_BLUR), Augmentation(chance=0.2, solarize=True)),
                )
            ),
        ),
    )
)
# Chen & He, Exploring Simple Siamese Representation Learning, CVPR 2021, section 3.
RECIPES.register("simsiam")(
    ViewRecipe(
        "simsiam",
        (ViewKind((_crop(0.2), _FLIP, _EVEN, _TO_GREY, Augmentation(chance=0.5, blur=_BLUR)), count=2),),
    )
)
# Bardes et al., VICReg, ICLR 2022, appendix C.1.
RECIPES.register("vicreg")(
    ViewRecipe(
        "vicreg",
        (
            ViewKind(
                (
                    *(_crop(0.08), _FLIP, _MILD, _TO_GREY),
                    *(Augmentation(chance=0.1, solarize=True), Augmentation(chance=0.5, blur=_BLUR)),
                ),
                count=2,
            ),
        ),
    )
)
# Caron et al., Emerging Properties in Self-Supervised Vision Transformers, ICCV 2021; LeJEPA uses the same.
RECIPES.register("dino")(
    ViewRecipe(
        "dino",
        (
            ViewKind((_crop(0.4), _FLIP, _MILD, _TO_GREY, Augmentation(chance=1.0, blur=_BLUR))),
            ViewKind(
                (
                    *(_crop(0.4), _FLIP, _MILD, _TO_GREY),
                    *(Augmentation(chance=0.1, blur=_BLUR), Augmentation(chance=0.2, solarize=True)),
                )
            ),
            ViewKind(
                (_crop(0.05, 0.4), _FLIP, _MILD, _TO_GREY, Augmentation(chance=0.5, blur=_BLUR_SMALL)),
                count=6,
                size=_SMALL,
            ),
        ),
    )
)
# Caron et al., Unsupervised Learning of Visual Features by Contrasting Cluster Assignments, NeurIPS 2020.
RECIPES.register("swav")(
    ViewRecipe(
        "swav",
        (
            ViewKind((_crop(0.14), _FLIP, _STRONG, _TO_GREY, Augmentation(chance=0.5, blur=_BLUR)), count=2),
            ViewKind(
                (_crop(0.05, 0.14), _FLIP, _STRONG, _TO_GREY, Augmentation(chance=0.5, blur=_BLUR_SMALL)),
                count=6,
                size=_SMALL,
            ),
        ),
    )
)
# He et al., Masked Autoencoders Are Scalable Vision Learners, CVPR 2022, section 4.1.
_register("mae", _crop(0.2), _FLIP)
