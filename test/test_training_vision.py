"""The eyes: labels fall into the right patches, and the features have a scale that System 2 can learn from."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip('torch')
transformers = pytest.importorskip('transformers')

from tiny_eyes import tiny_eyes  # noqa: E402

from vla_ros.training.vision import VisionSize, dense_loss, encode, patch_of, rescale  # noqa: E402


def _tower() -> transformers.SiglipVisionModel:
    tower = tiny_eyes(layers=2).eval()
    with torch.no_grad():
        tower.embeddings.position_embedding.weight.mul_(20)
        tower.embeddings.patch_embedding.weight.mul_(20)
    return tower


def test_rescaled_features_are_the_same_but_for_one_factor_and_have_unit_scale() -> None:
    tower, images = _tower(), np.random.default_rng(0).integers(0, 255, (8, 32, 32, 3)).astype(np.uint8)
    before = encode(tower, images).astype(np.float32)
    factor = rescale(tower, images)
    after = encode(tower, images).astype(np.float32)
    assert np.sqrt(np.mean((after - after.mean((0, 1))) ** 2)) == pytest.approx(1.0, abs=0.02)
    np.testing.assert_allclose(after, before * factor, atol=0.02)


def test_an_object_belongs_to_the_patch_that_its_centre_is_in() -> None:
    size = VisionSize(image=64, patch=16)
    centres = torch.tensor([[[0.0, 0.0], [0.26, 0.99], [float('nan'), float('nan')]]])
    index, place, offset, seen = patch_of(centres, size)
    assert index[0, :2].tolist() == [0, 13]
    torch.testing.assert_close(place[0, 1], torch.tensor([-0.96, 1.96]))
    torch.testing.assert_close(offset[0, 1], torch.tensor([-0.46, 0.46]))
    assert seen[0].tolist() == [True, True, False]


def test_the_loss_of_places_counts_only_the_patch_of_an_object_that_is_seen() -> None:
    size = VisionSize(image=64, patch=16)
    centres = torch.tensor([[[0.26, 0.99], [float('nan'), float('nan')]]])
    index, place, offset, _ = patch_of(centres, size)
    presence = torch.full((1, 16, 2), -30.0)
    presence[0, index[0, 0], 0] = 30.0
    places, offsets = torch.full((1, 16, 2, 2), 9.0), torch.full((1, 16, 2, 2), 9.0)
    places[0, index[0, 0], 0], offsets[0, index[0, 0], 0] = place[0, 0], offset[0, 0]
    assert float(dense_loss(presence, places, offsets, centres, size)) == pytest.approx(0.0, abs=1e-5)
    # Half a patch off in each direction, of the two that are told: 2 * (0.5 + 0).
    places[0, index[0, 0], 0] += 0.5
    assert float(dense_loss(presence, places, offsets, centres, size)) == pytest.approx(1.0, abs=1e-5)
