"""The eyes: a SigLIP vision transformer, trained on rendered scenes and their captions, then frozen.

Two losses. The sigmoid contrastive loss of SigLIP (arXiv 2303.15343) ties an image to its caption. A caption says
what is there but not where to the millimetre, so a second loss keeps space precise in every patch: for each kind
of object a patch says whether the object's centre lies in it, and where that is: in the image, because nothing behind
the encoder knows which patch a token came from unless the token says so itself, and in the patch, because that is the
finer measure. Both heads are dropped after training; the patch features are the visual tokens.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import Dataset
from tqdm import tqdm
from transformers import (
    PreTrainedTokenizerFast,
    SiglipConfig,
    SiglipModel,
    SiglipTextConfig,
    SiglipVisionConfig,
    SiglipVisionModel,
)

from vla_ros.training.augment import moved, relit
from vla_ros.training.loop import fresh_generator
from vla_ros.types import FloatArray, ImageArray

PIXEL_MEAN = (0.5, 0.5, 0.5)
PIXEL_STD = (0.5, 0.5, 0.5)
CAPTION_LENGTH = 20
CONTRASTIVE_SHARE = 0.05


@dataclass(frozen=True)
class VisionSize:
    """Sizes of the encoder."""

    image: int = 128
    patch: int = 16
    width: int = 192
    layers: int = 6
    heads: int = 6

    @property
    def tokens(self) -> int:
        return (self.image // self.patch) ** 2


class LabelledImages(Dataset[dict[str, Tensor]]):
    """Images (N, h, w, 3) uint8 with object centres (N, kinds, 2) in 0..1, NaN where the object is not seen.

    Each epoch shows them moved, mirrored and relit anew, with their labels (see ``augment``).
    """

    def __init__(
        self,
        images: ImageArray,
        centres: FloatArray,
        names: list[str],
        tokenizer: PreTrainedTokenizerFast,
        *,
        caption_length: int = CAPTION_LENGTH,
        augment: bool = True,
    ) -> None:
        self._images, self._centres, self._names = images, centres, names
        self._tokenizer, self._length, self._augment = tokenizer, caption_length, augment

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        image, centres = self._images[index], self._centres[index]
        rng = fresh_generator()
        if self._augment:
            image, centres = moved(rng, image, centres)
            image = relit(rng, image)
        seen = [name for name, centre in zip(self._names, centres) if not np.isnan(centre[0])]
        rng.shuffle(seen)
        ids = self._tokenizer(
            ', '.join(seen) or 'nothing',
            padding='max_length',
            truncation=True,
            max_length=self._length,
            return_tensors='pt',
        )['input_ids'][0]
        return {
            'pixel_values': torch.from_numpy(normalise(image[None])[0]),
            'input_ids': ids,
            'centres': torch.from_numpy(centres),
        }


class VisionTrainer(nn.Module):
    """SigLIP with a dense head; the forward pass gives the sum of both losses."""

    def __init__(
        self, size: VisionSize, kinds: int, vocabulary: int, caption_length: int = CAPTION_LENGTH
    ) -> None:
        super().__init__()
        self.size, self.kinds = size, kinds
        vision = SiglipVisionConfig(
            hidden_size=size.width,
            intermediate_size=4 * size.width,
            num_hidden_layers=size.layers,
            num_attention_heads=size.heads,
            image_size=size.image,
            patch_size=size.patch,
        )
        text = SiglipTextConfig(
            vocab_size=vocabulary,
            hidden_size=size.width,
            intermediate_size=2 * size.width,
            num_hidden_layers=2,
            num_attention_heads=size.heads,
            max_position_embeddings=caption_length,
            pad_token_id=0,
            bos_token_id=0,
            eos_token_id=0,
        )
        self.siglip = SiglipModel(SiglipConfig(text_config=text.to_dict(), vision_config=vision.to_dict()))
        # The fused attention's backward pass on a CPU takes almost twice as long as the plain one in bfloat16.
        self.siglip.set_attn_implementation('eager')
        # SigLIP starts from t' = log 10, b = -10.
        nn.init.constant_(self.siglip.logit_scale, float(np.log(10.0)))
        nn.init.constant_(self.siglip.logit_bias, -10.0)
        self.dense = nn.Sequential(nn.LayerNorm(size.width), nn.Linear(size.width, kinds * 5))

    def forward(self, pixel_values: Tensor, input_ids: Tensor, centres: Tensor) -> dict[str, Tensor]:
        seen = self.siglip.vision_model(pixel_values=pixel_values, output_hidden_states=True)
        image = functional.normalize(seen.pooler_output.float(), dim=-1)
        words = self.siglip.text_model(input_ids=input_ids).pooler_output
        words = functional.normalize(words.float(), dim=-1)
        logits = image @ words.T * self.siglip.logit_scale.exp() + self.siglip.logit_bias
        same = (input_ids.sort(-1).values[:, None] == input_ids.sort(-1).values[None]).all(-1)
        contrastive = -functional.logsigmoid(torch.where(same, logits, -logits)).sum(-1).mean()
        dense = dense_loss(*self.read_dense(self.dense(seen.hidden_states[-1].float())), centres, self.size)
        return {
            'loss': CONTRASTIVE_SHARE * contrastive + dense,
            'contrastive': contrastive.detach(),
            'dense': dense.detach(),
        }

    def read_dense(self, out: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(batch, tokens, 5 kinds) to presence (batch, tokens, kinds), places and offsets (..., kinds, 2).

        Presence is a logit. A place is a column and a row, in patches from the middle of the image; an offset the
        same from the middle of the patch.
        """
        out = out.unflatten(-1, (self.kinds, 5))
        return out[..., 0], out[..., 1:3], out[..., 3:]


def patch_of(centres: Tensor, size: VisionSize) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The patch index, the place and the offset as ``read_dense`` has them, and whether the object is seen at all."""
    grid = size.image // size.patch
    seen = ~torch.isnan(centres[..., 0])
    scaled = torch.nan_to_num(centres).clamp(0, 1 - 1e-6) * grid
    cell = scaled.floor()
    return (cell[..., 1] * grid + cell[..., 0]).long(), scaled - grid / 2, scaled - cell - 0.5, seen


def dense_loss(presence: Tensor, place: Tensor, offset: Tensor, centres: Tensor, size: VisionSize) -> Tensor:
    """Which patch an object is in (cross-entropy over patches and 'nowhere'), which kind it is, and where (L1)."""
    index, wanted_place, wanted_offset, seen = patch_of(centres, size)
    # A last, constant logit of 0 stands for 'nowhere'.
    logits = torch.cat([presence.transpose(1, 2), torch.zeros_like(presence[:, :1].transpose(1, 2))], -1)
    wanted = torch.where(seen, index, torch.full_like(index, presence.shape[1]))
    found = functional.cross_entropy(logits.flatten(0, 1), wanted.flatten())
    count = seen.sum().clamp(min=1)
    pairs = ((place, wanted_place), (offset, wanted_offset))
    distance = sum(
        (((at_patch(x, index) - y).abs().mean(-1) * seen).sum() for x, y in pairs), start=count * 0.0
    )
    # Shapes are harder to tell than colours: ask outright which kind of object a patch holds.
    kinds = presence.gather(1, index[:, :, None].expand(-1, -1, presence.shape[2]))
    kind = functional.cross_entropy(
        kinds.transpose(1, 2), torch.arange(kinds.shape[1]).expand_as(index), reduction='none'
    )
    return 3.0 * found + 2.0 * distance / count + (kind * seen).sum() / count


def at_patch(values: Tensor, index: Tensor) -> Tensor:
    """(batch, kinds, 2) of ``values`` (batch, tokens, kinds, 2), each kind's at its patch ``index`` (batch, kinds)."""
    return values.gather(1, index[:, None, :, None].expand(-1, 1, -1, 2))[:, 0]


@torch.no_grad()
def measure(
    model: VisionTrainer, images: ImageArray, centres: FloatArray, kinds: slice = slice(None)
) -> dict[str, float]:
    """Recall, false alarms and location error in pixels of the dense head on held-out images, of some ``kinds``."""
    model.eval()
    errors, hits, misses, false_alarms, absent = [], 0, 0, 0, 0
    for start in range(0, len(images), 64):
        pixels = torch.from_numpy(normalise(images[start : start + 64]))
        seen = model.siglip.vision_model(pixel_values=pixels, output_hidden_states=True)
        presence, _, offset = (
            part[:, :, kinds] for part in model.read_dense(model.dense(seen.hidden_states[-1]))
        )
        best, cell = presence.max(1)
        truth = torch.from_numpy(centres[start : start + 64, kinds])
        visible = ~torch.isnan(truth[..., 0])
        grid = model.size.image // model.size.patch
        corner = torch.stack([cell % grid, cell // grid], -1)
        where = (corner + 0.5 + at_patch(offset, cell)) / grid
        said = best > 0
        hits += int((said & visible).sum())
        misses += int((~said & visible).sum())
        false_alarms += int((said & ~visible).sum())
        absent += int((~visible).sum())
        both = said & visible
        errors.append(((where - truth).norm(dim=-1)[both] * model.size.image).numpy())
    error = np.concatenate(errors)
    return {
        'recall': hits / max(hits + misses, 1),
        'false_alarms': false_alarms / max(absent, 1),
        'error_pixels_median': float(np.median(error)),
        'error_pixels_p95': float(np.percentile(error, 95)),
    }


def normalise(images: ImageArray) -> FloatArray:
    """(N, h, w, 3) uint8 to (N, 3, h, w) float32 as the manifest says."""
    mean, std = np.array(PIXEL_MEAN, np.float32), np.array(PIXEL_STD, np.float32)
    scaled = (images.astype(np.float32) / np.float32(255.0) - mean) / std
    return np.ascontiguousarray(scaled.transpose(0, 3, 1, 2))


@torch.no_grad()
def rescale(tower: SiglipVisionModel, images: ImageArray) -> float:
    """Give the patch features of a tower unit variance, changing nothing else about them; returns the factor.

    Every block reads the residual stream through a layer norm, which takes no notice of its scale. So everything that
    writes to the stream may be scaled by one factor. A projector and a decoder that start from small random weights
    do not learn from features many times as large as the embeddings of words.
    """
    features = encode(tower, images).astype(np.float32)
    factor = 1.0 / float(np.sqrt(np.mean((features - features.mean((0, 1))) ** 2)))
    writers = [tower.embeddings.patch_embedding]
    for layer in tower.encoder.layers:
        writers += [layer.self_attn.out_proj, layer.mlp.fc2]
    for writer in writers:
        writer.weight.mul_(factor)
        writer.bias.mul_(factor)
    tower.embeddings.position_embedding.weight.mul_(factor)
    return factor


@torch.no_grad()
def encode(model: nn.Module, images: ImageArray, batch: int = 64) -> npt.NDArray[np.float16]:
    """Visual tokens (N, tokens, width) of a SigLIP vision model: the features that LLaVA's projector reads."""
    model.eval()
    parts = []
    for start in tqdm(range(0, len(images), batch), desc='looking', unit='batch', leave=False):
        seen: Any = model(
            pixel_values=torch.from_numpy(normalise(images[start : start + batch])), output_hidden_states=True
        )
        parts.append(seen.hidden_states[-1].numpy().astype(np.float16))
    return np.concatenate(parts)
