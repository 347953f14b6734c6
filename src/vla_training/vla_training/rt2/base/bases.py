# SPDX-License-Identifier: Apache-2.0
"""What `vla train rt2` begins with: the small model, or any vision-language model of transformers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from vla_policy.action.presets import RT2_TABLETOP
from vla_policy.action.space import ActionSpace
from vla_policy.errors import VocabularyError
from vla_policy.rt2.model.backend import VlmBackend
from vla_policy.rt2.model.checkpoint import INFO_FILE, RT2Info, find_checkpoint, read_info
from vla_policy.rt2.model.loading import stored_file
from vla_policy.rt2.prompt import PromptTemplate, StateFormat, prompt
from vla_policy.rt2.vocabulary import ActionVocabulary, Strategy, build_vocabulary
from vla_sim.world.robots import get_robot

from vla_training.data.frames import ALL_TASKS, PROPRIO, FrameTable
from vla_training.data.language import training_sentences
from vla_training.rt2.base.small_vlm import FROZEN_BLOCKS, build_small_vlm
from vla_training.rt2.card import DATA, read_card
from vla_training.rt2.samples.robot_data import RobotData
from vla_training.rt2.samples.scene_text import all_words
from vla_training.rt2.samples.words import words_of
from vla_training.run.errors import TrainingError

SMALL = "small"
_RECIPE = ("rate", "soft_bins", "read_back", "grounding")
OF_BASE = "base"  # the prompt of a base that is an RT-2 checkpoint
POLICY_PERIOD = 0.2  # [s] of the data sets
_VISION = ("vision", "visual")  # in the names of an image encoder's weights
_ASKED = "State: {state} Q: what action should the robot take to {instruction}?"
_STATE_MARGIN = 0.05  # of the range that is seen, on either side


def small_prompt(table: FrameTable) -> PromptTemplate:
    """RT-2's prompt after the robot's state, whose range is that of the data; a plan is the task in plain words."""
    low, high = table.proprio.min(axis=0), table.proprio.max(axis=0)
    margin = _STATE_MARGIN * (high - low)
    asked = _ASKED
    bounds = _bounds(low - margin, high + margin)
    return PromptTemplate(
        SMALL,
        f"{asked} A:",
        "Q: {question} A:",
        f"{asked} Plan:",
        f"{asked} Plan: {{plan}} A:",
        state=StateFormat(PROPRIO, bounds[0], bounds[1]),
    )


def state_prompt(names: tuple[str, ...], low: NDArray[np.floating], high: NDArray[np.floating]) -> PromptTemplate:
    """The same without plans, for a state of these names, low and high each (n,)."""
    return PromptTemplate(SMALL, f"{_ASKED} A:", "Q: {question} A:", state=StateFormat(names, *_bounds(low, high)))


def _bounds(low: NDArray[np.floating], high: NDArray[np.floating]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    return tuple(round(float(v), 4) for v in low), tuple(round(float(v), 4) for v in high)


def small_prompt_words() -> str:
    """The words of the small model's prompt, for its vocabulary."""
    return "state q a what action should the robot take to"


def read_prompt(name: str, table: FrameTable | None = None) -> PromptTemplate:
    """A template by name, `small` with a table, or a JSON file. Raises ConfigurationError or TrainingError."""
    if name == SMALL and table is not None:
        return small_prompt(table)
    if not name.endswith(".json"):
        return prompt(name)
    try:
        return PromptTemplate.from_dict(json.loads(Path(name).read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise TrainingError(f"prompt file {name}: {error}") from error


def load_base(
    base: str, image_size: tuple[int, int], device: str, seed: int, lora: bool = False, texts: Sequence[str] = ()
) -> VlmBackend:
    """The model to be trained, `small` or what `find_checkpoint` finds. Raises CheckpointError for what is no
    vision-language model.

    lora: leave its weights in the type in which they are stored, for they stay as they are; texts: instructions whose
    words a small model must know, by default those of the simulator's tasks.
    """
    torch.manual_seed(seed)
    if base != SMALL:
        backend = VlmBackend.load(find_checkpoint(base, ""), device, "auto" if lora else "float32")
        backend.model.requires_grad_(not lora)
        return backend
    sentences = texts or [text for task in ALL_TASKS for text in training_sentences(task)]
    model, processor = build_small_vlm([*sentences, *all_words(), small_prompt_words()], image_size)
    freeze_small(model)
    return VlmBackend(model.to(device), processor)


def info_of_base(base: str) -> RT2Info | None:
    """What a base says of itself that is an RT-2 checkpoint already; None for any other, and where its dimensions mean
    something else than those that robot data are labelled with. Raises CheckpointError.
    """
    if base == SMALL or stored_file(source := find_checkpoint(base, ""), INFO_FILE) is None:
        return None
    info = read_info(source)
    return info if _meaning(info.action_space) == _meaning(RT2_TABLETOP) else None


def recipe_of_base(base: str) -> dict[str, Any]:
    """How a base that is an RT-2 checkpoint continues: with its own prompt, and as its model card says that it was
    trained. Nothing for any other. Raises CheckpointError and TrainingError.
    """
    if info_of_base(base) is None:
        return {}
    card = stored_file(find_checkpoint(base, ""), DATA)
    training = (read_card(card.parent)["training"] if card else None) or {}
    return {key: training[key] for key in _RECIPE if key in training} | {"prompt": OF_BASE}


def _meaning(space: ActionSpace) -> tuple[object, ...]:
    """All but ranges, bins and rounding."""
    dimensions = [(each.name, each.unit, each.categories) for each in space.dimensions]
    return space.mode, space.delta_reference, space.frame, space.rotation, dimensions


def freeze_small(model: Any) -> None:
    """Stem, first blocks and the gates that Lite0 does not have keep their values."""
    tower = model.model.vision_tower
    for part in (tower.embeddings, *tower.encoder.blocks[:FROZEN_BLOCKS]):
        part.requires_grad_(False)
    for name, parameter in tower.named_parameters():
        if "squeeze_excite" in name:
            parameter.requires_grad_(False)


def keep_words(backend: VlmBackend) -> None:
    """Rows of whole words stay MiniLM's: the word that is said must stay among those that were trained.

    For the embeddings as they are now: a model that gets new tokens is given them before.
    """
    tokenizer, weight = backend.tokenizer, backend.model.get_input_embeddings().weight
    kept = torch.ones(len(weight), 1)
    kept[words_of(tokenizer.convert_ids_to_tokens(list(range(len(tokenizer)))))] = 0.0
    weight.register_hook(lambda gradient: gradient * kept.to(gradient))


def make_vocabulary(backend: VlmBackend, strategy: str, bins: int) -> ActionVocabulary:
    """Action tokens by a strategy; auto: integers where the tokenizer has them, else the least used tokens.

    New tokens enlarge the embeddings. Raises VocabularyError.
    """
    strategies = {s.value: s for s in Strategy}
    tried = [Strategy.INTEGERS, Strategy.OVERWRITE] if strategy == "auto" else [strategies[strategy]]
    for one in tried:
        try:
            vocabulary = build_vocabulary(one, backend.tokenizer, bins)
            break
        except VocabularyError:
            if one is tried[-1]:
                raise
    if max(vocabulary.ids) >= backend.model.get_input_embeddings().weight.shape[0]:
        backend.model.resize_token_embeddings(len(backend.tokenizer))
    return vocabulary


def make_info(vocabulary: ActionVocabulary, template: PromptTemplate, data: RobotData, space: ActionSpace) -> RT2Info:
    """Action space, vocabulary, prompt and robot of the checkpoint.

    Raises TrainingError where the prompt tells another state than robot data have.
    """
    if template.state is not None and template.state.names != PROPRIO:
        raise TrainingError(
            f"prompt {template.name} tells the state {', '.join(template.state.names)}; valid is what robot data have: "
            f"{', '.join(PROPRIO)}, in this order"
        )
    shape = get_robot(data.robot)
    control = {
        "period_s": POLICY_PERIOD,
        "gripper_max_width": shape.config.gripper.max_width,
        "image_size": list(data.image_size),
        "frames": len(data.table),
    }
    return RT2Info(space, vocabulary, template, data.robot, control)


def freeze_vision(model: Any) -> None:
    """Leave the image encoder as it is."""
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(parameter.requires_grad and not any(part in name for part in _VISION))


def add_lora(backend: VlmBackend, rank: int, vision: bool = True) -> None:
    """Freeze the model and give its linear layers LoRA matrices of that rank; `vision`: the image encoder's, too."""
    from peft import LoraConfig, get_peft_model  # a second, and few runs want it

    config = LoraConfig(
        r=rank,
        lora_alpha=2 * rank,
        target_modules="all-linear",
        bias="none",
        exclude_modules=None if vision else f".*({'|'.join(_VISION)}).*",
    )
    backend.model = get_peft_model(backend.model, config)
