"""What decides the outcome of a fine-tuning run. No torch."""

from dataclasses import dataclass

from maskwright.core.errors import SettingError
from maskwright.train.recipe import option

PARTS = ("decoder", "prompts", "boxes", "hq", "lora", "encoder", "full", "text")
# What may differ between a run and its continuation: how it is watched and how much memory it takes.
PACE = ("at_once", "save_minutes", "eval_pictures", "tolerance")


@dataclass(frozen=True, slots=True, kw_only=True)
class TuneRecipe:
    """Every number of a run; written beside the checkpoint."""

    parts: str = option(
        "decoder",
        "what learns, joined by +: decoder, prompts, boxes (what only they use), hq (HQ-SAM's own layers), lora, "
        "encoder; or full; or text (words)",
    )
    epochs: int = option(10, "times that the training masks are gone through")
    batch: int = option(16, "prompts a step")
    learning_rate: float = option(3e-4, "AdamW's highest learning rate")
    warmup: int = option(20, "steps until the learning rate is at its highest")
    weight_decay: float = option(0.01, "AdamW's, not on biases and norms")
    clip: float = option(1.0, "longest gradient")
    ema: float = option(0.98, "how slowly the average of the weights follows; the average is scored and kept")
    patience: int = option(4, "epochs without a better held-out score until the run stops, once half of it is done")
    corrections: int = option(2, "most clicks that correct a first answer; each step draws how many")
    per_picture: int = option(8, "most masks of one picture in an epoch")
    epoch_masks: int = option(1000, "most masks of one's own in an epoch; where there are more, each draws some")
    views: int = option(
        1500,
        "most views of one's own pictures; where pictures are many, mirrored ones and crops are left out",
    )
    mirror: int = option(1, "1: pictures are seen mirrored too, encoded once; 0: as they are")
    crops: int = option(2, "crops of each picture around small objects, encoded once, for models that look closer")
    drawn_share: float = option(0.25, "share of the cells of a frame that a loss looks at; 1: all, which takes longer")
    keep: float = option(
        1.0, "prompts in general pictures held to the base's answers, as a share of those that are learnt from; 0: none"
    )
    keep_weight: float = option(0.5, "weight of being held to the base's answers")
    keep_within: float = option(
        0.02,
        "loss of mIoU on general pictures up to which weights may go from the base to what they learnt; 1: all the way",
    )
    reach: float = option(
        0.5, "how much of the way that is allowed is gone, for general pictures do not show everything"
    )
    replay: float = option(
        1.0, "general pictures mixed in, as a share of the training pictures; at most twice as many masks"
    )
    focal_weight: float = option(20.0, "weight of the focal loss")
    dice_weight: float = option(1.0, "weight of the Dice loss")
    bce_weight: float = option(0.0, "weight of binary cross-entropy")
    iou_weight: float = option(1.0, "weight of the error of predicted IoU")
    lora_rank: int = option(8, "rank of what is added to the encoder's weights, with lora")
    words: str = option(
        "auto", "who reads words, with text: auto (CLIP if it is here), table, or a CLIP by folder or name"
    )
    absent: float = option(0.5, "words that are not in a picture, as a share of those that are, with text")
    validation_share: float = option(0.15, "share of the episodes held out to decide when to stop")
    test_share: float = option(0.15, "share of the episodes held out to tell how good it became")
    seed: int = option(0, "decides the split, the order and every prompt")
    at_once: int = option(0, "prompts in memory at a time; 0: the whole batch. Less memory, the same outcome")
    save_minutes: float = option(2.0, "minutes between checkpoints within an epoch")
    tolerance: float = option(0.02, "loss of mIoU on general data that is not yet said in red")
    eval_pictures: int = option(60, "most held-out pictures that are scored before and after")

    def __post_init__(self) -> None:
        """Check what would only fail later, or go wrong silently."""
        unknown = [part for part in self.learning if part not in PARTS]
        if unknown or not self.learning:
            raise SettingError(f"parts must be some of {', '.join(PARTS)} joined by +, got {self.parts!r}")
        if "text" in self.learning and len(self.learning) > 1:
            raise SettingError(
                f"text learns alone, got parts {self.parts!r}. Tune the rest first, then words --from that checkpoint"
            )
        for name in ("epochs", "batch", "per_picture", "epoch_masks", "patience", "lora_rank", "eval_pictures"):
            if getattr(self, name) < 1:
                raise SettingError(f"{name} must be at least 1, got {getattr(self, name)}")
        for name in (
            "keep",
            "keep_weight",
            "keep_within",
            "replay",
            "corrections",
            "crops",
            "at_once",
            "mirror",
            "absent",
        ):
            if getattr(self, name) < 0:
                raise SettingError(f"{name} must not be negative, got {getattr(self, name)}")
        for name in ("validation_share", "test_share"):
            if not 0 < getattr(self, name) < 0.5:
                raise SettingError(f"{name} must lie between 0 and 0.5, got {getattr(self, name)}")
        if not 0 < self.reach <= 1:
            raise SettingError(f"reach must be above 0 and at most 1, got {self.reach:g}")
        if self.learning_rate <= 0:
            raise SettingError(f"learning_rate must be above 0, got {self.learning_rate:g}")

    @property
    def learning(self) -> tuple[str, ...]:
        """The parts, one by one."""
        return tuple(part.strip() for part in self.parts.split("+") if part.strip())

    @property
    def asks_boxes(self) -> bool:
        """Whether only the answers to boxes learn, so that nothing else is asked."""
        return self.learning == ("boxes",)

    @property
    def trains_encoder(self) -> bool:
        """Whether the encoder learns, so that pictures are encoded at every step."""
        return bool({"encoder", "full", "lora"} & set(self.learning))

    @property
    def keeps(self) -> bool:
        """Whether the base's answers in general pictures are kept; an encoder that learns sees those mixed in alone."""
        sees_any = self.replay > 0 or not self.trains_encoder
        return self.keep > 0 and self.keep_weight > 0 and sees_any and not self.teaches_words

    @property
    def draws_back(self) -> bool:
        """Whether the weights end between the base's and those that were learnt."""
        return self.keep_within < 1 and not self.teaches_words

    @property
    def needs_general(self) -> bool:
        """Whether general pictures have a part in the run itself."""
        return not self.teaches_words and (self.replay > 0 or self.keeps or self.draws_back)

    @property
    def teaches_words(self) -> bool:
        """Whether words learn, and nothing else."""
        return "text" in self.learning


def words_recipe() -> TuneRecipe:
    """The numbers to begin with for words: an adapter begins with nothing, so it learns faster and longer."""
    return TuneRecipe(parts="text", epochs=40, learning_rate=1e-3, ema=0.99, patience=10, warmup=50)


def boxes_recipe() -> TuneRecipe:
    """The numbers to begin with for boxes alone: few parameters, which learn fast.

    Cross-entropy instead of focal loss: the rules of boxes go by probabilities, which focal loss leaves in doubt.
    """
    return TuneRecipe(parts="boxes", learning_rate=2e-3, ema=0.95, corrections=0, focal_weight=0.0, bce_weight=2.0)


def usual_recipe(parts: str) -> TuneRecipe:
    """The numbers to begin with for some parts."""
    recipe = TuneRecipe(parts=parts)
    return words_recipe() if recipe.teaches_words else boxes_recipe() if recipe.asks_boxes else recipe


__all__ = ["PACE", "PARTS", "TuneRecipe", "boxes_recipe", "usual_recipe", "words_recipe"]
