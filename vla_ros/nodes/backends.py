"""Which mind the reasoning node thinks with: its parameters, and how each kind is made."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TypeVar

from vla_ros.bundle import Bundle
from vla_ros.nodes.lifecycle import VlaNode
from vla_ros.nodes.parameters import Setting
from vla_ros.reasoning.foreign import ForeignReasoner, ImageAt, Mind
from vla_ros.reasoning.onnx_reasoner import OnnxReasoner
from vla_ros.reasoning.openai_reasoner import OpenAiMind, OpenAiSettings
from vla_ros.reasoning.prompt_file import load_prompt
from vla_ros.reasoning.reasoner import Reasoner
from vla_ros.reasoning.transformers_adapter import adapter_of
from vla_ros.reasoning.transformers_reasoner import DTYPES, TransformersMind, TransformersSettings
from vla_ros.types import VlaError

Settings = TypeVar('Settings', OpenAiSettings, TransformersSettings)

ONNX, OPENAI, TRANSFORMERS = 'onnx', 'openai', 'transformers'
SHARED = {'timeout': 'answer_timeout', 'max_tokens': 'max_answer_tokens'}
"""Parameters of all other minds, by the name of the setting."""
BACKEND_SETTINGS = (
    Setting(
        'backend',
        ONNX,
        "What thinks: the bundle's own model, or another mind on an OpenAI-compatible server or on disk.",
        choices=(ONNX, OPENAI, TRANSFORMERS),
    ),
    Setting('prompt', 'json', 'Of another mind: a name in config/prompts/, or the path of such a YAML file.'),
    Setting(
        'temperature',
        0.0,
        'Only 0 is taken: the same answer each time.',
        0.0,
        2.0,
        unit='1',
    ),
    Setting(
        'answer_timeout',
        2.0,
        'Of another mind: for a whole answer, with all tries.',
        0.1,
        60.0,
        unit='s',
    ),
    Setting('max_answer_tokens', 512, 'Of another mind: longer answers are refused.', 1, 8192, unit='1'),
    Setting('openai_url', 'http://localhost:8000/v1', 'Base URL of the server; https where a key is sent.'),
    Setting('openai_model', '', "The server's name of the model."),
    Setting('openai_key_variable', '', 'Environment variable that holds the key; empty sends none.'),
    Setting('openai_ca_file', '', "File of certificates (PEM) to believe instead of the system's; or empty."),
    Setting(
        'openai_retry_delay',
        0.1,
        'Before the second try; doubled for each further one.',
        0.01,
        10.0,
        unit='s',
    ),
    Setting('openai_constrain', False, 'Ask the server to write nothing but the JSON object of the prompt.'),
    Setting(
        'transformers_path', '', 'Folder of an image-text-to-text checkpoint, as save_pretrained writes it.'
    ),
    Setting(
        'transformers_adapter',
        '',
        "Folder of a peft adapter (LoRA) that is merged into it; empty: that of the bundle's files, if it has one.",
    ),
    Setting('transformers_device', 'cpu', 'Where it computes, as torch names it: cpu, cuda, cuda:1, mps.'),
    Setting('transformers_dtype', 'auto', 'Of its weights; auto is as they are stored.', choices=DTYPES),
    Setting('transformers_kv_cache', True, 'Keep keys and values from token to token.'),
)


def make_reasoner(node: VlaNode, bundle: Bundle, image_at: ImageAt) -> Reasoner:
    """The mind that the node's parameters choose.

    Raises:
        VlaError: it cannot be had, or cannot drive the bundle's body.
    """
    if node.setting('temperature'):
        raise VlaError(
            f'temperature: expected 0, found {node.setting("temperature"):g}: '
            'what is drawn at random is thought differently each time, and the arm follows'
        )
    body = OnnxReasoner(
        bundle, node.setting('provider'), allow_fallback=node.setting('allow_provider_fallback')
    )
    if node.setting('backend') == ONNX:
        return body
    prompt = load_prompt(node.setting('prompt'))
    mind: Mind
    if node.setting('backend') == OPENAI:
        mind = OpenAiMind(_settings(node, OPENAI, OpenAiSettings), prompt.answer)
    else:
        settings = _settings(node, TRANSFORMERS, TransformersSettings)
        mind = TransformersMind(replace(settings, adapter=settings.adapter or adapter_of(bundle)))
    return ForeignReasoner(bundle, mind, prompt, image_at, body)


def _settings(node: VlaNode, backend: str, kind: type[Settings]) -> Settings:
    """What the parameters say of a backend: they are called as its settings, behind its name, but for SHARED."""
    names = {field.name: SHARED.get(field.name, f'{backend}_{field.name}') for field in fields(kind)}
    return kind(**{name: node.setting(parameter) for name, parameter in names.items()})
