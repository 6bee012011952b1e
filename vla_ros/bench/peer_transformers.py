"""Peer: System 2 through ``transformers.generate`` with the same checkpoint and questions. Run as a program."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

from vla_ros.bench.peers import serve


def prepare(arguments: Sequence[str]) -> tuple[Callable[[], Any], Any]:
    """The bundle's folder, a file of questions (npz: ``visual_i``, ``ids_i``), the last token, the most tokens.

    The eyes are left out, as they are for the decoder that is compared: generation begins with visual tokens.
    """
    import numpy as np
    import torch

    from vla_ros.training.stages import load_llava

    folder, path, end, longest = arguments
    torch.set_num_threads(1)
    model: Any = load_llava(Path(folder)).eval().requires_grad_(False)
    model.set_attn_implementation('sdpa')
    with np.load(path) as file:
        questions = [
            (torch.from_numpy(file[f'visual_{i}']), torch.from_numpy(file[f'ids_{i}']))
            for i in range(len(file.files) // 2)
        ]

    @torch.inference_mode()
    def answer(question: tuple[Any, Any]) -> list[int]:
        visual, ids = question
        projected = model.model.multi_modal_projector(visual)
        known = torch.cat([projected, model.get_input_embeddings()(ids)])[None]
        written = model.generate(
            inputs_embeds=known,
            attention_mask=torch.ones(known.shape[:2], dtype=torch.long),
            max_new_tokens=int(longest),
            do_sample=False,
            eos_token_id=int(end),
            pad_token_id=int(end),
            use_cache=True,
        )
        return [int(token) for token in written[0]]

    answers = [answer(question) for question in questions]
    turn = cycle(questions)
    return (lambda: answer(next(turn))), answers


if __name__ == '__main__':
    serve(prepare)
