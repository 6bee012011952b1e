"""Generation 1 from training to the robot's path: what torch would say is what ONNX Runtime says, token for token."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip('torch')
pytest.importorskip('transformers')
pytest.importorskip('mujoco')

from safetensors.torch import load_file, save_file  # noqa: E402
from tiny_road import made_up_lessons, write_road  # noqa: E402

from vla_ros.action.bins import bins_in  # noqa: E402
from vla_ros.action.generations import chunk_of, open_policy  # noqa: E402
from vla_ros.action.token_policy import TokenPolicy  # noqa: E402
from vla_ros.bundle import Bundle, load_bundle, write_manifest  # noqa: E402
from vla_ros.evaluation.generations import NAMES, generations_report  # noqa: E402
from vla_ros.evaluation.looks import Look  # noqa: E402
from vla_ros.training import stages, tokens_stage  # noqa: E402
from vla_ros.training.assemble import assemble  # noqa: E402
from vla_ros.training.loop import Schedule  # noqa: E402
from vla_ros.training.token_lessons import Mixed, collate_mixed, stacked, steps_of  # noqa: E402
from vla_ros.training.token_model import TokenModel  # noqa: E402
from vla_ros.types import JointSample, Thought, VisualTokens, VlaError  # noqa: E402

SCHEDULE = Schedule(12, batch=6, learning_rate=3e-3, warm_up=1, average=0.0)
STAMP = 10**9


@pytest.fixture(scope='module')
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which `vla_ros train tokens` was run for a few steps."""
    folder = write_road(tmp_path_factory.mktemp('road') / 'train')
    tokens_stage.train_tokens(folder, SCHEDULE, traces=0.3)
    return folder


@pytest.fixture(scope='module')
def stirred(out: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with layers so strong that each word depends on all before it, which takes long to learn."""
    folder = tmp_path_factory.mktemp('stirred') / 'train'
    shutil.copytree(out, folder)
    for name in ('model.safetensors', 'inputs.safetensors'):
        file = folder / 'tokens' / name
        weights = {
            key: 12 * value if value.ndim == 2 and ('layers' in key or name != 'model.safetensors') else value
            for key, value in load_file(str(file)).items()
        }
        save_file(weights, str(file), {'format': 'pt'})
    return folder


@pytest.fixture(scope='module')
def bundle(stirred: Path, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    folder = tmp_path_factory.mktemp('bundle') / 'tiny'
    assemble(stirred, folder, 'tiny')
    return load_bundle(folder)


@pytest.fixture(scope='module')
def trained(stirred: Path) -> tokens_stage.Generation1:
    return tokens_stage.load_tokens(stirred)


def moments_of(bundle: Bundle, count: int = 3) -> list[Look]:
    """Made-up moments as the nodes have them."""
    manifest, rng = bundle.manifest, np.random.default_rng(5)
    shown = made_up_lessons(7, count)
    return [
        Look(
            course=0,
            tokens=VisualTokens(
                STAMP + i * 200_000_000,
                rng.normal(size=(manifest.tokens.rows, manifest.tokens.width)).astype(np.float32),
            ),
            thought=Thought(STAMP, rng.normal(size=(2 + i, manifest.thought.width)).astype(np.float32)),
            joints=JointSample(STAMP, shown.joints[i].astype(float), shown.velocities[i].astype(float)),
            expert=shown.chunks[i].astype(float),
        )
        for i in range(count)
    ]


@torch.no_grad()
def greedily(trained: tokens_stage.Generation1, look: Look, bundle: Bundle, decided: list[int]) -> list[int]:
    """The definition: read everything again for each token, and take the likeliest of the action tokens."""
    model, ids = trained.tokens, [trained.spec['first'] + one for one in decided]
    normal = bundle.manifest.normalisation
    state = np.concatenate(
        [
            (look.joints.positions - normal.state.mean) / normal.state.std,
            (look.joints.velocities - normal.velocity.mean) / normal.velocity.std,
        ]
    )
    vectors = [
        model.reader.projector(torch.from_numpy(look.tokens.rows)),
        model.thought(torch.from_numpy(look.thought.rows)),
        model.state(torch.from_numpy(state.astype(np.float32)))[None],
    ]
    words = trained.model.get_input_embeddings()
    while len(ids) < model.length:
        said = torch.cat([*vectors, words(torch.tensor(ids, dtype=torch.long))])[None]
        hidden = model.reader.language(inputs_embeds=said, use_cache=False).last_hidden_state[0, -1]
        logits = hidden @ words.weight.T
        masked = torch.full_like(logits, -torch.inf)
        masked[model.actions.start : model.actions.stop] = logits[model.actions.start : model.actions.stop]
        ids.append(int(masked.argmax()))
    return [one - trained.spec['first'] for one in ids]


@pytest.mark.parametrize('kv_cache', [True, False])
@pytest.mark.parametrize('known', [0, 2])
def test_decoding_on_the_robot_is_greedy_constrained_decoding_in_torch_token_for_token(
    bundle: Bundle, trained: tokens_stage.Generation1, kv_cache: bool, known: int
) -> None:
    policy = TokenPolicy(bundle, kv_cache=kv_cache)
    bins = bins_in(bundle.manifest.action_tokens)
    for look in moments_of(bundle, 2):
        prefix = look.joints.positions + np.full((known, 6), 0.05)
        decided = bins.encode(prefix - look.joints.positions).bins
        chunk = policy.act(look.tokens, look.thought, look.joints, np.zeros(0, np.float32), prefix)
        expected = np.array(greedily(trained, look, bundle, decided.ravel().tolist())).reshape(-1, 6)
        written = bins.encode(chunk.positions - look.joints.positions).bins
        assert written.tolist() == expected.tolist()
        assert len(np.unique(written)) > 5  # or else it would be no matter what is read
        np.testing.assert_array_equal(chunk.positions[:known], prefix)
        assert (chunk.stamp, chunk.dt) == (look.tokens.stamp, 0.1)


def test_the_batched_decoder_of_training_says_the_same(
    out: Path, trained: tokens_stage.Generation1, bundle: Bundle
) -> None:
    looks = moments_of(bundle)
    # Thoughts of 2, 3 and 4 rows, padded with zeros: padding takes no place.
    thought = np.zeros((3, bundle.manifest.thought.rows, bundle.manifest.thought.width), np.float32)
    for row, look in zip(thought, looks):
        row[: len(look.thought.rows)] = look.thought.rows
    normal = bundle.manifest.normalisation
    state = [
        np.concatenate(
            [
                (one.joints.positions - normal.state.mean) / normal.state.std,
                (one.joints.velocities - normal.velocity.mean) / normal.velocity.std,
            ]
        )
        for one in looks
    ]
    seen = torch.from_numpy(np.stack([look.tokens.rows for look in looks]))
    found = trained.tokens.decode(
        seen, torch.from_numpy(thought), torch.from_numpy(np.stack(state).astype(np.float32))
    )
    expected = [greedily(trained, look, bundle, []) for look in looks]
    assert (found - trained.spec['first']).tolist() == expected


def test_the_stage_says_what_came_of_it_and_what_the_bins_alone_cost(out: Path) -> None:
    metrics = json.loads((out / 'tokens' / 'metrics.json').read_text())
    held_out = metrics['held_out']
    assert 0 <= held_out['token_accuracy'] <= 1
    assert held_out['bins']['mean_absolute_error_rad'] < held_out['generation_1']['mean_absolute_error_rad']
    assert held_out['generation_2']['mean_absolute_error_rad'] > 0
    assert set(metrics['language']) == {'before', 'after'}
    assert metrics['traces'] == 0.3


def test_the_manifest_has_what_generation_1_needs_and_its_parity(bundle: Bundle, out: Path) -> None:
    spec, manifest = bundle.manifest.action_tokens, bundle.manifest
    assert (spec.bins, spec.chunk.horizon, spec.chunk.dt, spec.chunk.prefix) == (256, 8, 0.1, 3)
    words = stages.load_words(out).get_vocab()
    assert spec.first == words['<act_000>']
    assert manifest.metrics['onnx_difference']['action_tokens'] < 1e-4
    assert manifest.metrics['tokens']['held_out']
    assert chunk_of(manifest, 2) == manifest.chunk


def test_the_stage_goes_on_from_its_checkpoint(out: Path, tmp_path: Path) -> None:
    again = tmp_path / 'train'
    shutil.copytree(out, again)
    before = (again / 'tokens' / 'model.safetensors').read_bytes()
    tokens_stage.train_tokens(again, SCHEDULE, traces=0.3)
    assert (again / 'tokens' / 'model.safetensors').read_bytes() == before


def test_without_generation_1_the_bundle_is_as_before_and_choosing_it_is_one_sentence(
    bundle: Bundle, tmp_path: Path
) -> None:
    folder = tmp_path / 'older'
    shutil.copytree(bundle.folder, folder)
    files = {key: file for key, file in bundle.manifest.files.items() if key != 'action_tokens'}
    write_manifest(folder, bundle.manifest.model_copy(update={'action_tokens': None, 'files': files}))
    older = load_bundle(folder)
    open_policy(older)
    with pytest.raises(VlaError, match="bundle 'tiny' has no generation 1.*choose generation 2"):
        open_policy(older, generation=1)


def test_tokens_of_another_system_2_are_not_put_into_a_bundle(out: Path, tmp_path: Path) -> None:
    again = tmp_path / 'train'
    shutil.copytree(out, again)
    file = again / 'tokens' / 'metrics.json'
    file.write_text(json.dumps(json.loads(file.read_text()) | {'start': {'language': '0' * 64}}))
    with pytest.raises(VlaError, match='expected to be made from the present language'):
        assemble(again, tmp_path / 'bundle', 'tiny')


def test_a_thought_without_rows_is_refused_and_so_are_logits_that_are_no_numbers(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy, (look, *_) = TokenPolicy(bundle), moments_of(bundle)
    nothing, noise = np.zeros((0, bundle.manifest.thought.width), np.float32), np.zeros(0, np.float32)
    with pytest.raises(VlaError, match='thought: expected 1 to 16 rows'):
        policy.act(look.tokens, Thought(STAMP, nothing), look.joints, noise)
    with pytest.raises(VlaError, match='prefix: expected at most 3 steps, found 4'):
        policy.act(look.tokens, look.thought, look.joints, noise, np.zeros((4, 6)))

    class Lost:
        def run(self, _, inputs):
            return np.full(5000, np.nan, np.float32), inputs['cache']

    monkeypatch.setattr(policy, '_session', Lost())
    with pytest.raises(VlaError, match='expected 256 finite logits'):
        policy.act(look.tokens, look.thought, look.joints, noise)


def test_other_words_never_get_through(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    policy, (look, *_) = TokenPolicy(bundle), moments_of(bundle)
    spec = bundle.manifest.action_tokens

    class Chatty:
        """Would rather say anything else; of the action tokens it likes that of bin 9 best."""

        def run(self, _, inputs):
            logits = np.full(5000, 100.0, np.float32)
            logits[spec.first : spec.first + spec.bins] = -5.0
            logits[spec.first + 9] = -4.0
            return logits, inputs['cache']

    monkeypatch.setattr(policy, '_session', Chatty())
    chunk = policy.act(look.tokens, look.thought, look.joints, np.zeros(0, np.float32))
    written = bins_in(spec).encode(chunk.positions - look.joints.positions).bins
    assert (written == 9).all()


def test_both_generations_are_compared_on_the_same_looks(bundle: Bundle) -> None:
    looks = moments_of(bundle, 3)
    report, chunks = generations_report(bundle, looks, [], 0, 0.0, 'none')
    rows = {row['name']: row for row in report['rows']}
    assert set(NAMES.values()) < set(rows)
    assert rows['expert']['error'] == 0.0
    assert rows['expert, in bins']['error'] > 0.0
    # The made-up expert moves at a steady pace: all that is not straight is from the bins.
    assert rows['expert']['second_difference'] == pytest.approx(0.0, abs=1e-6)
    assert rows['expert, in bins']['second_difference'] > 0
    for name in NAMES.values():
        assert rows[name]['latency_ms']['count'] == 3
        assert rows[name]['boundary_jump'] > 0
        assert {chunk.positions.shape for chunk in chunks[name]} == {(8, 6)}
    json.dumps(report)


class Numbers(torch.utils.data.Dataset):
    """Chunks, or traces, of which nothing is looked at but what they are."""

    def __init__(self, **sample) -> None:
        self.sample = sample

    def __len__(self) -> int:
        return 100

    def __getitem__(self, index: int):
        return self.sample


@pytest.mark.parametrize('share', [0.0, 0.25, 0.8])
def test_the_share_of_traces_is_what_was_asked_for(share: float) -> None:
    torch.manual_seed(0)
    mixed = Mixed(Numbers(ids=0), Numbers(labels=0), share)
    traces = np.mean(['labels' in mixed[i % 100] for i in range(1000)])
    assert traces == pytest.approx(share, abs=0.05)


def test_a_batch_parts_chunks_and_traces_and_leaves_out_what_there_is_none_of() -> None:
    chunk = {'ids': torch.arange(3), 'state': torch.zeros(2)}
    trace = {'visual': np.zeros((4, 2)), 'ids': [1, 2], 'labels': [-100, 2], 'weights': [0.0, 1.0]}
    assert set(collate_mixed([chunk, trace, chunk])) == {'chunks', 'traces'}
    assert collate_mixed([chunk, chunk])['chunks']['ids'].shape == (2, 3)
    assert set(collate_mixed([trace])) == {'traces'}


def test_every_second_step_ends_with_the_last_and_what_is_no_divisor_is_refused() -> None:
    assert list(range(16)[steps_of(16, 2)]) == [1, 3, 5, 7, 9, 11, 13, 15]
    with pytest.raises(VlaError, match='expected a divisor of the 16 steps'):
        steps_of(16, 3)


def test_a_few_steps_on_one_batch_teach_it_and_leave_other_words_alone(
    out: Path, trained: tokens_stage.Generation1
) -> None:
    torch.manual_seed(0)
    model = stages.load_language(out)
    model.set_attn_implementation('eager')
    tokens = TokenModel(model, trained.tokens.actions, range(0), 12, trained.tokens.length)
    sample = {
        'tokens': torch.randn(8, 24),
        'thought': torch.randn(3, 32),
        'state': torch.randn(12),
        'ids': torch.randint(0, 256, (tokens.length,)) + tokens.actions.start,
        'patch': torch.tensor(2),
    }
    batch = stacked([sample, sample])
    optimiser = torch.optim.Adam(tokens.parameters(), 1e-2)
    losses = []
    for _ in range(15):
        loss = tokens(chunks=batch)['loss']
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.8 * losses[0]
