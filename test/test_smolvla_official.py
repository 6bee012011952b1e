"""A checkpoint that LeRobot's own SmolVLA wrote, imported: both make the same chunk (scripts/compare_smolvla.sh)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip('lerobot')
pytest.importorskip('torch')

import torch
import transformers as hf
from official_smolvla import official_policy
from test_smolvla import policy
from tiny_minds import tokenizer
from tiny_smolvla import HORIZON, IMAGES, JOINTS, MEAN, STD, WORDS, vlm_config

from vla_ros.action.noise import noise
from vla_ros.action.remote.link import Asked
from vla_ros.action.smolvla.link import SmolVlaLink
from vla_ros.training.import_smolvla import import_smolvla

STATE = np.array([0.3, -1.0], np.float32)
TOLERANCE = 1e-4


def write_whole_vlm(folder: Path) -> Path:
    """With the processor that LeRobot loads and does not use."""
    vlm_config().save_pretrained(folder)
    words = tokenizer('<image>', '<fake_token_around_image>', '<global-img>')
    names = {'fake_image_token': '<fake_token_around_image>', 'global_image_token': '<global-img>'}
    again = hf.PreTrainedTokenizerFast(
        tokenizer_object=words.backend_tokenizer,
        eos_token='<end>',
        pad_token='<pad>',
        extra_special_tokens={**names, 'image_token': '<image>'},
    )
    size: dict[str, Any] = {'size': {'longest_edge': 64}, 'max_image_size': {'longest_edge': 32}}
    hf.SmolVLMProcessor(
        hf.SmolVLMImageProcessor(**size),
        again,
        hf.SmolVLMVideoProcessor(**size, fps=1),
        image_seq_len=4,
        chat_template=' ',
    ).save_pretrained(folder)
    return folder


@pytest.fixture(scope='module')
def official(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any, Any, Path]:
    """Policy, preprocessor and postprocessor, and the folder where they saved themselves."""
    kind = official_policy()
    from lerobot.configs.types import FeatureType, PolicyFeature
    from lerobot.policies.smolvla.configuration_smolvla import SmolVLAConfig
    from lerobot.policies.smolvla.processor_smolvla import make_smolvla_pre_post_processors

    folder = tmp_path_factory.mktemp('official')
    config = SmolVLAConfig(
        input_features={
            'observation.state': PolicyFeature(FeatureType.STATE, (JOINTS,)),
            **{key: PolicyFeature(FeatureType.VISUAL, (3, 48, 64)) for key in IMAGES},
        },
        output_features={'action': PolicyFeature(FeatureType.ACTION, (JOINTS,))},
        chunk_size=HORIZON,
        n_action_steps=HORIZON,
        max_state_dim=5,
        max_action_dim=4,
        resize_imgs_with_padding=(32, 32),
        tokenizer_max_length=WORDS,
        num_vlm_layers=4,
        vlm_model_name=str(write_whole_vlm(tmp_path_factory.mktemp('vlm'))),
        load_vlm_weights=False,
        device='cpu',
    )
    torch.manual_seed(3)
    made = kind(config)
    statistics = {'mean': torch.tensor(MEAN), 'std': torch.tensor(STD)}
    before, after = make_smolvla_pre_post_processors(
        config, {'observation.state': statistics, 'action': statistics}
    )
    for part in (made, before, after):
        part.save_pretrained(folder)
    return made, before, after, folder


@pytest.mark.parametrize('cameras', [1, 2])
@pytest.mark.parametrize('shape', [(48, 64), (32, 32), (128, 128)])
@pytest.mark.parametrize('words', ['touch it', 'put the red cube in the blue bowl'])
def test_both_make_the_same_chunk(
    official: tuple[Any, Any, Any, Path], tmp_path: Path, cameras: int, shape: tuple[int, int], words: str
) -> None:
    made, before, after, folder = official
    rng = np.random.default_rng(4)
    pictures = {key: rng.integers(0, 255, (*shape, 3)).astype(np.uint8) for key in IMAGES[:cameras]}
    seen = {key: torch.from_numpy(image).permute(2, 0, 1).float() / 255 for key, image in pictures.items()}
    batch = before({'observation.state': torch.from_numpy(STATE), **seen, 'task': words})
    started = torch.from_numpy(noise(9, 0, (HORIZON, 4)))[None]
    wanted = after(made.predict_action_chunk(batch, noise=started))[0].numpy()

    import_smolvla(folder, tmp_path / 'model')
    link = SmolVlaLink(
        policy(pictures=[{'key': key, 'camera': key[-7:]} for key in pictures]), tmp_path / 'model'
    )
    link.connect()
    found = link.ask(Asked(pictures, {'observation.state': STATE}, words, 9))['action']

    difference = np.abs(found - wanted).max()
    print(f'largest difference {difference:.2g} of numbers up to {np.abs(wanted).max():.2g}')
    assert difference < TOLERANCE
