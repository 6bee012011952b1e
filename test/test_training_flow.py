"""The flow-matching head: masks, prefixes and the Euler loop, against the formulas."""

from __future__ import annotations

import pytest

torch = pytest.importorskip('torch')

from vla_ros.training.flow import FlowConfig, FlowHead, attention, flow_matching_loss, integrate  # noqa: E402

SMALL = FlowConfig(
    joints=3, horizon=8, prefix=4, tokens=10, token_width=16, thought_width=12, width=24, heads=2, pairs=2
)


@pytest.fixture
def head() -> FlowHead:
    torch.manual_seed(0)
    return FlowHead(SMALL).eval()


def _context(samples: int) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(samples, 10, SMALL.token_width), torch.randn(samples, 5, SMALL.thought_width)


class Straight(FlowHead):
    """A velocity field whose answer is known: it always points from the noise to one action."""

    def __init__(self, goal: torch.Tensor, start: torch.Tensor) -> None:
        super().__init__(SMALL)
        self.goal, self.start = goal, start

    def forward(self, noisy, time, tokens, thought, state):
        return self.goal - self.start


def test_attention_is_the_textbook_formula() -> None:
    query, key, value = (torch.randn(2, 3, 4, 8) for _ in range(3))
    expected = torch.nn.functional.scaled_dot_product_attention(query, key, value)
    found, looks = attention(query, key, value, None)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(looks.sum(-1), torch.ones(2, 3, 4))


@torch.no_grad()
def test_padding_rows_of_the_thought_change_nothing(head: FlowHead) -> None:
    tokens, thought = _context(2)
    noisy, time, state = torch.randn(2, 8, 3), torch.rand(2, 8), torch.randn(2, 3)
    padded = torch.cat([thought, torch.zeros(2, 4, SMALL.thought_width)], 1)
    torch.testing.assert_close(
        head(noisy, time, tokens, thought, state), head(noisy, time, tokens, padded, state)
    )


@torch.no_grad()
def test_the_thought_matters(head: FlowHead) -> None:
    tokens, thought = _context(1)
    noisy, time, state = torch.randn(1, 8, 3), torch.rand(1, 8), torch.randn(1, 3)
    other = head(noisy, time, tokens, torch.randn_like(thought), state)
    assert (head(noisy, time, tokens, thought, state) - other).abs().max() > 1e-3


@torch.no_grad()
def test_draws_that_share_their_context_equal_samples_that_repeat_it(head: FlowHead) -> None:
    tokens, thought = _context(3)
    noisy, time, state = torch.randn(6, 8, 3), torch.rand(6, 8), torch.randn(6, 3)
    repeated = head(noisy, time, tokens.repeat_interleave(2, 0), thought.repeat_interleave(2, 0), state)
    torch.testing.assert_close(head(noisy, time, tokens, thought, state), repeated)


@torch.no_grad()
def test_a_straight_field_ends_at_its_goal_whatever_the_noise() -> None:
    noise, goal = torch.randn(1, 8, 3), torch.randn(1, 8, 3)
    nothing = torch.zeros(1, 8, dtype=torch.bool)
    tokens, thought = _context(1)
    found = integrate(
        Straight(goal, noise), noise, tokens, thought, torch.zeros(1, 3), torch.zeros(1, 8, 3), nothing
    )
    torch.testing.assert_close(found, goal)


@torch.no_grad()
@pytest.mark.parametrize('length', [0, 1, 4])
def test_a_clean_prefix_comes_out_as_it_went_in(head: FlowHead, length: int) -> None:
    tokens, thought = _context(1)
    prefix = torch.randn(1, 8, 3)
    clean = torch.arange(8)[None] < length
    found = integrate(head, torch.randn(1, 8, 3), tokens, thought, torch.randn(1, 3), prefix, clean)
    assert torch.equal(found[:, :length], prefix[:, :length])
    assert not torch.equal(found[:, length:], prefix[:, length:])


@torch.no_grad()
def test_the_rest_of_the_chunk_depends_on_its_prefix(head: FlowHead) -> None:
    tokens, thought = _context(1)
    noise, state, clean = torch.randn(1, 8, 3), torch.randn(1, 3), torch.arange(8)[None] < 3
    first, second = (
        integrate(head, noise, tokens, thought, state, torch.randn(1, 8, 3), clean) for _ in range(2)
    )
    assert (first[:, 3:] - second[:, 3:]).abs().max() > 1e-4


@torch.no_grad()
def test_a_deeper_head_begins_as_the_same_velocity_field(head: FlowHead) -> None:
    tokens, thought = _context(2)
    noisy, time, state = torch.randn(2, 8, 3), torch.rand(2, 8), torch.randn(2, 3)
    deep = head.deepened(4)
    assert deep.config.pairs == 4
    torch.testing.assert_close(
        deep(noisy, time, tokens, thought, state), head(noisy, time, tokens, thought, state)
    )


def test_training_teaches_one_attention_head_to_look_at_the_wanted_patch() -> None:
    torch.manual_seed(0)
    head = FlowHead(SMALL)
    tokens, thought = _context(4)
    patch = torch.tensor([3, 7, 0, -1])  # the last one's is not known
    actions, state = torch.randn(4, 8, 3), torch.randn(4, 3)
    optimiser = torch.optim.Adam(head.parameters(), 3e-3)
    for _ in range(100):
        loss = flow_matching_loss(head, actions, tokens, thought, state, patch)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    _, looks = head.velocity_and_looks(torch.randn(4, 8, 3), torch.rand(4, 8), tokens, thought, state)
    assert looks.argmax(-1)[:3].eq(patch[:3, None]).float().mean() > 0.9


def test_training_lowers_the_loss_on_one_sample() -> None:
    torch.manual_seed(0)
    head = FlowHead(SMALL)
    tokens, thought = _context(4)
    actions, state = torch.randn(4, 8, 3), torch.randn(4, 3)
    optimiser = torch.optim.Adam(head.parameters(), 3e-3)
    losses = []
    for _ in range(150):
        loss = flow_matching_loss(head, actions, tokens, thought, state, draws=4)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert sum(losses[-20:]) < 0.5 * sum(losses[:20])
