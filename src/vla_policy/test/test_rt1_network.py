# SPDX-License-Identifier: Apache-2.0
"""Properties of the RT-1 network: mask, token reuse, identity at the start, sizes."""

from __future__ import annotations

import pytest
import torch
from vla_policy.rt1.config import B3, LITE, ConfigError, RT1Config, named_config
from vla_policy.rt1.film import FiLM
from vla_policy.rt1.instruction import InstructionFeatures
from vla_policy.rt1.network import RT1Network
from vla_policy.rt1.token_learner import TokenLearner
from vla_policy.rt1.transformer import ActionTransformer, rt1_attention_mask

PROPRIO = ("ee_x", "ee_z", "gripper_width")


def features(batch: int, words: int = 6) -> InstructionFeatures:
    mask = (torch.arange(32) < words).expand(batch, 32)
    return InstructionFeatures(torch.randn(batch, 32, 384) * mask[..., None], mask, torch.randn(batch, 384))


def pictures(*shape: int) -> torch.Tensor:
    return torch.randint(0, 256, (*shape, 128, 160, 3), dtype=torch.uint8)


@pytest.fixture(scope="module")
def network() -> RT1Network:
    torch.manual_seed(0)
    config = named_config("lite", history=3, layers=2, proprio=PROPRIO, state_tokens=1)
    net = RT1Network(config, pretrained=False).eval()
    with torch.no_grad():  # FiLM off the identity, so that the instruction matters
        for module in net.modules():
            if isinstance(module, FiLM):
                module.gamma.weight.normal_(0, 0.02)
    return net.requires_grad_(False)


def test_mask_is_lower_triangle_without_action_pairs() -> None:
    mask = rt1_attention_mask(steps=3, context_tokens=8, action_tokens=11)
    action = [index % 19 >= 8 for index in range(57)]
    for row in range(57):
        for column in range(57):
            assert bool(mask[row, column]) == (column <= row and not (action[row] and action[column]))


def test_action_tokens_reach_no_logit(network: RT1Network) -> None:
    transformer: ActionTransformer = network.transformer
    context = torch.randn(2, 1, 9, 192)
    plain = transformer(context)
    changed = transformer(context, torch.randn(2, 1, 11, 192))
    # the token of dimension d feeds only the logits read at its own place, those of dimension d + 1
    first = changed[:, :, 0]
    torch.testing.assert_close(first, plain[:, :, 0], rtol=0, atol=0)
    last = torch.zeros(2, 1, 11, 192)
    last[:, :, 4] = torch.randn(192)
    moved = (transformer(context, last) - plain).abs().amax(dim=(0, 1, 3)) > 0
    assert moved.nonzero().flatten().tolist() == [5]


def test_later_frames_do_not_reach_earlier_logits(network: RT1Network) -> None:
    tokens, proprio = torch.randn(1, 3, 8, 192), torch.randn(1, 3, 3)
    before = network.decode(tokens, proprio)
    tokens[:, 2] += 1.0
    proprio[:, 2] += 1.0
    after = network.decode(tokens, proprio)
    torch.testing.assert_close(after[:, :2], before[:, :2])
    assert (after[:, 2] - before[:, 2]).abs().max() > 1e-3


def test_reused_tokens_equal_the_full_forward(network: RT1Network) -> None:
    images, instruction, proprio = pictures(2, 3), features(2), torch.randn(2, 3, 3)
    whole = network(images, instruction, proprio)
    kept = [network.frame_tokens(network.early_features(images[:, step]), instruction) for step in range(3)]
    torch.testing.assert_close(network.decode(torch.stack(kept, dim=1), proprio), whole, rtol=0, atol=1e-5)


def test_instruction_and_proprio_change_the_logits(network: RT1Network) -> None:
    images, instruction, proprio = pictures(1, 1), features(1), torch.zeros(1, 1, 3)
    base = network(images, instruction, proprio)
    assert (network(images, features(1), proprio) - base).abs().max() > 1e-3
    assert (network(images, instruction, proprio + 1.0) - base).abs().max() > 1e-3


def test_word_order_matters_and_padding_does_not(network: RT1Network) -> None:
    given = features(1, words=6)
    order = torch.tensor([1, 0, 2, 3, 4, 5])
    swapped = InstructionFeatures(given.tokens.clone(), given.mask, given.sentence)
    swapped.tokens[0, :6] = given.tokens[0, order]
    assert (network.condition(swapped) - network.condition(given)).abs().max() > 1e-5
    noise = torch.randn(32, 384) * ~given.mask[..., None]
    padded = InstructionFeatures(given.tokens + noise, given.mask, given.sentence)
    torch.testing.assert_close(network.condition(padded), network.condition(given), rtol=0, atol=1e-5)


def test_fresh_film_is_the_identity() -> None:
    x = torch.randn(2, 5, 3, 4)
    torch.testing.assert_close(FiLM(7, 5)(x, torch.randn(2, 7)), x, rtol=0, atol=0)


def test_token_learner_makes_convex_sums_of_cells() -> None:
    learner, cells = TokenLearner(16, tokens=8), torch.randn(2, 81, 16)
    weights = learner.attention(cells)
    assert weights.shape == (2, 8, 81)
    assert learner(cells).shape == (2, 8, 16)
    torch.testing.assert_close(weights.sum(dim=-1), torch.ones(2, 8))
    assert learner(cells).max() <= cells.max()
    assert learner(cells).min() >= cells.min()


def test_early_features_are_frozen_and_the_rest_learns(network: RT1Network) -> None:
    net = RT1Network(LITE, pretrained=False)
    early = net.early_features(pictures(2))
    assert early.shape == (2, 40, 16, 20)
    assert not early.requires_grad
    tokens = net.frame_tokens(early, features(2))
    (net.decode(tokens[:, None]).square().mean() + net.aux(tokens).square().mean()).backward()
    for name, parameter in net.named_parameters():
        assert (parameter.grad is not None) == parameter.requires_grad, name
    assert not net.tokenizer.backbone.blocks[4].project.weight.requires_grad
    assert net.tokenizer.backbone.blocks[5].project.weight.requires_grad


def test_pretrained_trunk_differs_from_a_fresh_one_and_is_reproducible() -> None:
    image = pictures(1)
    first, second = RT1Network(LITE).early_features(image), RT1Network(LITE).early_features(image)
    torch.testing.assert_close(first, second, rtol=0, atol=0)
    assert (RT1Network(LITE, pretrained=False).early_features(image) - first).abs().max() > 0.1


def test_wrong_inputs_are_named(network: RT1Network) -> None:
    with pytest.raises(ValueError, match="128, 160"):
        network.early_features(torch.zeros(1, 64, 64, 3, dtype=torch.uint8))
    with pytest.raises(ValueError, match="gripper_width"):
        network.decode(torch.randn(1, 1, 8, 192))
    with pytest.raises(ValueError, match=r"1\.\.3"):
        network.decode(torch.randn(1, 4, 8, 192), torch.zeros(1, 4, 3))


def test_b3_has_the_papers_size() -> None:
    net = RT1Network(B3).eval()
    assert sum(parameter.numel() for parameter in net.parameters()) == pytest.approx(35e6, rel=0.03)
    assert sum(parameter.numel() for parameter in net.transformer.parameters()) == pytest.approx(19e6, rel=0.03)
    early = net.early_features(torch.zeros(1, 300, 300, 3, dtype=torch.uint8))
    with torch.no_grad():
        assert net.tokenizer.feature_map(early, torch.zeros(1, 384)).shape == (1, 512, 9, 9)
        tokens = net.frame_tokens(early, features(1))
        assert net.decode(tokens[:, None].expand(1, 6, 8, 512)).shape == (1, 6, 11, 256)


def test_config_survives_json_and_refuses_nonsense() -> None:
    config = named_config("lite", proprio=PROPRIO, state_tokens=2)
    assert RT1Config.from_json(config.to_json()) == config
    with pytest.raises(ConfigError, match="missing keys"):
        RT1Config.from_json({"backbone": "lite0"})
    with pytest.raises(ConfigError, match="valid"):
        named_config("b7")
    with pytest.raises(ConfigError, match="both or neither"):
        named_config("lite", proprio=("ee_x",))
