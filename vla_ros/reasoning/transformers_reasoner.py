"""System 2 by any image-text-to-text checkpoint on disk: LLaVA, SmolVLM, Qwen-VL, Cosmos-Reason. Greedy.

torch, transformers and peft are imported when this backend is chosen, and nowhere else on the robot. Nothing is
downloaded, no code of a checkpoint is run, and weights are read from safetensors alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vla_ros.reasoning.transformers_adapter import CONFIG, PARAMETER, WEIGHTS, first_line, with_adapter
from vla_ros.types import ImageArray, VlaError

DTYPES = ('auto', 'float32', 'bfloat16', 'float16')


@dataclass(frozen=True)
class TransformersSettings:
    """What to load, and where.

    Attributes:
        path: folder of the checkpoint, as ``save_pretrained`` writes it.
        adapter: folder of a peft adapter that is merged into it; '' for none.
        device: as torch names it: 'cpu', 'cuda', 'cuda:1', 'mps'.
        dtype: one of DTYPES; 'auto' is that of the checkpoint.
        kv_cache: keep keys and values from token to token; without, each token costs a whole pass.
        timeout: seconds for a whole answer.
        max_tokens: of an answer.
    """

    path: str
    adapter: str = ''
    device: str = 'cpu'
    dtype: str = 'auto'
    kv_cache: bool = True
    timeout: float = 2.0
    max_tokens: int = 512


class TransformersMind:
    """A ``foreign.Mind`` in this process."""

    def __init__(self, settings: TransformersSettings) -> None:
        """Load the checkpoint. Raises VlaError if it, its adapter, the device or a library cannot be had."""
        try:
            import torch
            import transformers
        except ImportError as error:
            raise VlaError(
                f'backend transformers: {error.name} is not installed; pip install vla_ros[train]'
            ) from error
        self._settings = settings
        folder = _folder('transformers_path', settings.path, 'config.json')
        dtype = 'auto' if settings.dtype == 'auto' else getattr(torch, settings.dtype)
        try:
            self._processor: Any = transformers.AutoProcessor.from_pretrained(
                str(folder), local_files_only=True, trust_remote_code=False
            )
            model: Any = transformers.AutoModelForImageTextToText.from_pretrained(
                str(folder), dtype=dtype, local_files_only=True, trust_remote_code=False, use_safetensors=True
            )
            if settings.adapter:
                model = with_adapter(model, _folder(PARAMETER, settings.adapter, CONFIG, WEIGHTS))
            self._model = model.to(settings.device).eval()
            self._prompt('.', '.')  # a template that cannot be filled is found out now
        except VlaError:
            raise
        except Exception as error:  # these libraries raise whatever they stumble over
            raise VlaError(
                f'{folder} could not be loaded on {settings.device}: {first_line(error)}'
            ) from error
        ends = self._model.generation_config.eos_token_id
        self._ends = [] if ends is None else [ends] if isinstance(ends, int) else list(ends)
        if not self._ends:
            raise VlaError(f'{folder}: expected eos_token_id in generation_config.json, found none')
        # Of the checkpoint's own wishes only where an answer ends: no sampling, no penalties.
        self._generation = transformers.GenerationConfig(
            do_sample=False,
            num_beams=1,
            max_new_tokens=settings.max_tokens,
            use_cache=settings.kv_cache,
            eos_token_id=self._ends,
            pad_token_id=self._ends[0],
        )
        self._model.generation_config = self._generation

    def answer(self, system: str, user: str, image: ImageArray, on_text: Callable[[str], None]) -> str:
        """See ``foreign.Mind.answer``; ``on_text`` is told after each token."""
        import torch

        deadline = time.monotonic() + self._settings.timeout
        inputs = self._processor(text=[self._prompt(system, user)], images=[image], return_tensors='pt')
        inputs = inputs.to(self._settings.device, dtype=self._model.dtype)
        heard = _Heard(self._text, deadline, on_text)
        with torch.inference_mode():
            self._model.generate(**inputs, generation_config=self._generation, streamer=heard)
        if not heard.ids or heard.ids[-1] not in self._ends:
            raise VlaError(
                f'the answer was cut off after {len(heard.ids)} tokens, the most of max_answer_tokens'
            )
        return self._text(heard.ids)

    def _prompt(self, system: str, user: str) -> str:
        def text(words: str) -> dict[str, str]:
            return {'type': 'text', 'text': words}

        messages = [
            {'role': 'system', 'content': [text(system)]},
            {'role': 'user', 'content': [{'type': 'image'}, text(user)]},
        ]
        return str(self._processor.apply_chat_template(messages, add_generation_prompt=True, tokenize=False))

    def _text(self, ids: list[int]) -> str:
        """What stands before the end; with special tokens, of which some minds write ``<think>``."""
        kept = ids[:-1] if ids and ids[-1] in self._ends else ids
        return str(self._processor.tokenizer.decode(kept, skip_special_tokens=False))


class _Heard:
    """What ``generate`` tells token by token: it ends with whatever is raised here."""

    def __init__(
        self, text: Callable[[list[int]], str], deadline: float, on_text: Callable[[str], None]
    ) -> None:
        self.ids: list[int] = []
        self._text, self._deadline, self._on_text = text, deadline, on_text
        self._begun = False

    def put(self, ids: Any) -> None:
        """First the prompt, then each token."""
        if self._begun:
            self.ids += ids.flatten().tolist()
        self._begun = True
        self._on_text(self._text(self.ids))
        if time.monotonic() > self._deadline:
            raise VlaError('no whole answer in time')

    def end(self) -> None:
        """Nothing is left to tell."""


def _folder(parameter: str, path: str, *files: str) -> Path:
    folder = Path(path).expanduser()
    missing = [name for name in files if not (folder / name).is_file()]
    if not path or missing:
        raise VlaError(f'{parameter}: expected a folder with {" and ".join(files)}, found {path!r}')
    return folder
