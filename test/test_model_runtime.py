"""The shipped model on ONNX Runtime: deterministic, greedy, and picky about what it is given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vla_ros.action.flow import FlowPolicy
from vla_ros.action.noise import noise
from vla_ros.bundle import load_bundle
from vla_ros.perception.encoder import Encoder
from vla_ros.reasoning.onnx_reasoner import OnnxReasoner
from vla_ros.runtime import open_session
from vla_ros.types import Frame, JointSample, Situation, Thought, Verdict, VisualTokens, VlaError

BUNDLE = load_bundle(Path(__file__).parent.parent / 'models' / 'tabletop')
STAMP = 1_700_000_000_123_456_789
OPEN = Situation('open')


@pytest.fixture(scope='module')
def frames() -> list[Frame]:
    """What the simulated cameras see in a held-out scene at rest."""
    pytest.importorskip('mujoco')
    from vla_ros.sim.cameras import FRONT_SIZE, WRIST_SIZE, Camera
    from vla_ros.sim.scene import sample_scene
    from vla_ros.sim.world import World

    scene = sample_scene(1_900_000)
    world = World(scene)
    sizes = {'front': FRONT_SIZE, 'wrist': WRIST_SIZE}
    cameras = [Camera(world.model, c.name, *sizes[c.name], scene=scene) for c in BUNDLE.manifest.cameras]
    return [Frame(camera.name, STAMP + i, camera.render(world.data)) for i, camera in enumerate(cameras)]


@pytest.fixture(scope='module')
def tokens(frames: list[Frame]) -> VisualTokens:
    return Encoder(BUNDLE).encode(frames)


def _joints() -> JointSample:
    rest = np.array(BUNDLE.manifest.robot.rest)
    return JointSample(STAMP, rest, np.zeros_like(rest))


def test_tokens_have_the_shape_of_the_manifest_and_the_stamp_of_the_oldest_frame(
    tokens: VisualTokens,
) -> None:
    assert tokens.rows.shape == (BUNDLE.manifest.tokens.rows, BUNDLE.manifest.tokens.width)
    assert tokens.stamp == STAMP


def test_frames_in_another_order_are_refused(frames: list[Frame]) -> None:
    with pytest.raises(VlaError, match='expected one of each camera'):
        Encoder(BUNDLE).encode(frames[::-1])


def test_the_same_image_and_words_give_the_same_tokens_thought_and_chunk_bit_for_bit(
    frames: list[Frame],
) -> None:
    def once() -> tuple[str, bytes, bytes]:
        seen = Encoder(BUNDLE).encode(frames)
        decision, thought = OnnxReasoner(BUNDLE).think(seen, 'touch the red cube', situation=OPEN)
        rows = thought.rows if len(thought.rows) else np.ones((1, BUNDLE.manifest.thought.width), np.float32)
        policy = FlowPolicy(BUNDLE)
        chunk = policy.act(
            seen, Thought(seen.stamp, rows), _joints(), noise(seen.stamp, 7, policy.noise_shape)
        )
        return decision.trace, rows.tobytes(), chunk.positions.tobytes()

    assert once() == once()


def test_the_trace_grows_token_by_token_and_ends_as_the_decision_has_it(tokens: VisualTokens) -> None:
    written: list[str] = []
    decision, thought = OnnxReasoner(BUNDLE).think(tokens, 'touch the red cube', written.append, OPEN)
    assert len(written) > 10
    for shorter, longer in zip(written, written[1:]):
        assert longer.startswith(shorter)
    assert written[-1] == decision.trace
    assert thought.holds_still == (decision.verdict is not Verdict.GO)
    assert thought.stamp == tokens.stamp


@pytest.mark.parametrize('words', ['', ' \n ', '<<<|>>>', '请触摸红色方块'])
def test_an_instruction_without_words_is_refused_in_a_decision_about_it(
    tokens: VisualTokens, words: str
) -> None:
    decision, thought = OnnxReasoner(BUNDLE).think(tokens, words, situation=OPEN)
    assert decision.verdict is Verdict.REFUSED
    assert decision.instruction == words
    assert thought.holds_still


def test_an_instruction_that_does_not_fit_the_context_is_refused_with_a_reason(tokens: VisualTokens) -> None:
    with pytest.raises(VlaError, match='instruction: expected at most .* tokens'):
        OnnxReasoner(BUNDLE).think(tokens, 'touch the red cube and ' * 100, situation=OPEN)


def test_other_noise_gives_another_chunk_but_the_same_place_to_start(tokens: VisualTokens) -> None:
    policy = FlowPolicy(BUNDLE)
    thought = Thought(STAMP, np.ones((3, BUNDLE.manifest.thought.width), np.float32))
    first, second = (
        policy.act(tokens, thought, _joints(), noise(STAMP, s, policy.noise_shape)) for s in (1, 2)
    )
    assert not np.array_equal(first.positions, second.positions)
    assert first.stamp == STAMP
    assert first.dt == BUNDLE.manifest.chunk.dt


def test_a_clean_prefix_is_kept(tokens: VisualTokens) -> None:
    policy = FlowPolicy(BUNDLE)
    thought = Thought(STAMP, np.ones((3, BUNDLE.manifest.thought.width), np.float32))
    prefix = _joints().positions + np.linspace(0, 0.05, 4)[:, None]
    chunk = policy.act(tokens, thought, _joints(), noise(STAMP, 1, policy.noise_shape), prefix)
    np.testing.assert_allclose(chunk.positions[:4], prefix, atol=1e-5)


@pytest.mark.parametrize(
    ('what', 'change'),
    [
        (
            'tokens',
            lambda t, n: (VisualTokens(t.stamp, t.rows[:-1]), Thought(0, np.ones((2, 192), np.float32)), n),
        ),
        ('thought', lambda t, n: (t, Thought(0, np.ones((2, 7), np.float32)), n)),
        ('thought', lambda t, n: (t, Thought(0, np.zeros((0, 192), np.float32)), n)),
        ('thought', lambda t, n: (t, Thought(0, np.ones((99, 192), np.float32)), n)),
        ('noise', lambda t, n: (t, Thought(0, np.ones((2, 192), np.float32)), n[:-1])),
    ],
)
def test_a_wrong_shape_is_refused_by_name(tokens: VisualTokens, what: str, change: Any) -> None:
    policy = FlowPolicy(BUNDLE)
    seen, thought, start = change(tokens, noise(STAMP, 1, policy.noise_shape))
    with pytest.raises(VlaError, match=what):
        policy.act(seen, thought, _joints(), start)


def test_a_provider_that_cannot_be_had_is_an_error_unless_a_fallback_is_allowed() -> None:
    path = BUNDLE.file('action')
    if 'CUDAExecutionProvider' in open_session(path, 'cuda', allow_fallback=True).get_providers():
        pytest.skip('this machine has CUDA')
    with pytest.raises(VlaError, match='CUDA'):
        open_session(path, 'cuda')
    assert open_session(path, 'cuda', allow_fallback=True).get_providers() == ['CPUExecutionProvider']
    with pytest.raises(VlaError, match=r"provider: expected one of .*, found 'gpu'"):
        open_session(path, 'gpu')


def test_a_file_that_is_no_model_is_refused_in_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / 'model.onnx'
    path.write_bytes(b'not a model')
    with pytest.raises(VlaError, match='could not be opened'):
        open_session(path)
