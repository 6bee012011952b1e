"""System 1's graph as the robot runs it: the whole Euler loop, with all that does not change taken out of it.

The arithmetic is that of ``integrate``, with which it is compared. What differs:

- Flow time is known when the graph is written: it is that of the step or, for what is known already, 1. So scale and
  shift of every block and step are constants, and each action only chooses between two.
- Keys and values of thought and picture are made once a call, all of one source in one product.
- Queries, keys and values of self-attention are one product; attention is one fused operator, as are the sum with what
  went before and the norm behind it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from vla_ros.training.flow import Block, FlowHead
from vla_ros.training.graph_builder import MICROSOFT, GraphBuilder

PADDING = -1e4
"""Added to the scores of rows of the thought that are padding."""


@torch.no_grad()
def write_flow(head: FlowHead, path: Path, thought_rows: int) -> None:
    """The graph; inputs and output are those of ``integrate``, for one sample."""
    _FlowGraph(head, thought_rows).write(path)


class _FlowGraph:
    def __init__(self, head: FlowHead, thought_rows: int) -> None:
        self.head, self.config, self.thought_rows = head, head.config, thought_rows
        self.blocks: list[Any] = list(head.blocks)
        self.g = GraphBuilder()
        self.first = self.g.constant(
            np.array([0], np.int64)
        )  # the axis of the samples, of which there is one
        self.ones = torch.ones(self.config.width)
        self.zeros = torch.zeros(self.config.width)

    def write(self, path: Path) -> None:
        g, config = self.g, self.config
        inputs = {
            'noise': (1, config.horizon, config.joints),
            'tokens': (1, config.tokens, config.token_width),
            'thought': (1, self.thought_rows, config.thought_width),
            'state': (1, config.state),
            'prefix': (1, config.horizon, config.joints),
        }
        heard, seen = self._memory('thought'), self._memory('tokens')
        memories = [(heard if pair % 2 == 0 else seen).pop(0) for pair in range(config.pairs)]
        unheard = self._padding()
        keep = g.op('Reshape', 'clean', g.constant(np.array([config.horizon, 1])))
        # The state stands before the actions, and is known.
        known = g.op('Concat', g.constant(np.ones((1, 1), bool)), keep, axis=0)
        state: Any = self.head.state
        own = self._linear(self._silu(self._linear('state', state[0])), state[2])
        prefix = g.op('Squeeze', 'prefix', self.first)
        x = g.op('Where', keep, prefix, g.op('Squeeze', 'noise', self.first))
        for step in range(config.steps):
            velocity = self._velocity(x, own, known, step / config.steps, memories, unheard)
            x = g.op('Where', keep, prefix, g.op('Add', x, velocity))
        g.node('Unsqueeze', [x, self.first], ['actions'], '')
        g.save(
            path,
            {name: (np.float32, shape) for name, shape in inputs.items()}
            | {'clean': (np.bool_, (1, config.horizon))},
            {'actions': (np.float32, inputs['noise'])},
        )

    def _memory(self, source: str) -> list[tuple[str, str]]:
        """Keys and values (1, heads, rows, head width) of every block that attends to the source."""
        g, head = self.g, self.head
        first = 0 if source == 'thought' else 1
        attentions = [block.attention for block in self.blocks[2 * first :: 4]]
        if not attentions:
            return []
        norm = head.thought_norm if source == 'thought' else head.token_norm
        context = self._norm(g.op('Squeeze', source, self.first), norm)
        if source == 'tokens':
            context = g.op('Add', context, g.constant(head.token_position))
        made = self._product(
            context,
            torch.cat([attention.key_value.weight for attention in attentions]),
            torch.cat([attention.key_value.bias for attention in attentions]),
        )
        heads, count = self.config.heads, 2 * len(attentions)
        apart = g.op('Reshape', made, g.constant(np.array([-1, count, heads, self.config.width // heads])))
        parts = g.ops('Split', count, g.op('Transpose', apart, perm=[1, 2, 0, 3]), axis=0, num_outputs=count)
        return list(zip(parts[::2], parts[1::2]))

    def _padding(self) -> str:
        """What is added to the scores of a thought (1, 1, 1 + horizon, rows): nothing, or that it is padding."""
        g = self.g
        last = g.constant(np.array([-1], np.int64))
        largest = g.op('ReduceMax', g.op('Abs', 'thought'), last, keepdims=0)
        empty = g.op('Equal', largest, g.constant(np.float32(0)))
        added = g.op('Where', empty, g.constant(np.float32(PADDING)), g.constant(np.float32(0)))
        return g.op('Expand', added, g.constant(np.array([1, 1, 1 + self.config.horizon, self.thought_rows])))

    def _velocity(
        self, x: str, own: str, known: str, time: float, memories: list[tuple[str, str]], unheard: str
    ) -> str:
        """One Euler step's change of x."""
        g, head, config = self.g, self.head, self.config
        actions = g.op(
            'Gemm',
            x,
            g.constant(head.action.weight),
            g.constant(head.action.bias + head.position),
            transB=1,
        )
        x = g.op('Concat', own, actions, axis=0)
        normed = self._norm(x, nn.LayerNorm(config.width))
        for i, block in enumerate(self.blocks):
            scale, shift = self._modulation(block, known, time)
            modulated = g.op('Add', g.op('Mul', normed, scale), shift)
            to_memory = i % 2 == 0
            mixed = (
                self._look(block, modulated, memories[i // 2], unheard if i % 4 == 0 else '')
                if to_memory
                else self._mix(block, modulated)
            )
            norm, wide, _, narrow = block.feed_forward
            normed, x = self._add_and_norm(x, mixed, block.attention.out.bias, norm.weight, norm.bias)
            inner = g.op('MatMul', normed, g.constant(wide.weight.T))
            inner = g.op('FastGelu', inner, g.constant(wide.bias), domain=MICROSOFT)
            fed = g.op('MatMul', inner, g.constant(narrow.weight.T))
            last = i == len(self.blocks) - 1
            weight, bias = (head.out_norm.weight, head.out_norm.bias) if last else (self.ones, self.zeros)
            normed, x = self._add_and_norm(x, fed, narrow.bias, weight, bias)
        one, end = (g.constant(np.array([i], np.int64)) for i in (1, 1 + config.horizon))
        rest = g.op('Slice', normed, one, end, self.first)
        return self._product(rest, head.out.weight / config.steps, head.out.bias / config.steps)

    def _modulation(self, block: Block, known: str, time: float) -> tuple[str, str]:
        """1 + scale and shift (1 + horizon, width): of data where it is ``known``, of flow time ``time`` elsewhere."""
        data, now = (block.modulation(self.head.time(torch.tensor([at]))).chunk(2, -1) for at in (1.0, time))
        g = self.g
        return (
            g.op('Where', known, g.constant(1 + data[0]), g.constant(1 + now[0])),
            g.op('Where', known, g.constant(data[1]), g.constant(now[1])),
        )

    def _look(self, block: Block, x: str, memory: tuple[str, str], bias: str) -> str:
        """Attention to a memory, and the product behind it without its bias."""
        query = self._linear(x, block.attention.query)
        return self._attend(block, self.g.op('Unsqueeze', query, self.first), *memory, bias)

    def _mix(self, block: Block, x: str) -> str:
        """Attention of the actions to each other, and the product behind it without its bias."""
        attention = block.attention
        packed = self._product(
            x,
            torch.cat([attention.query.weight, attention.key_value.weight]),
            torch.cat([attention.query.bias, attention.key_value.bias]),
        )
        query, key, value = self.g.ops(
            'Split', 3, self.g.op('Unsqueeze', packed, self.first), axis=-1, num_outputs=3
        )
        return self._attend(block, query, key, value, '')

    def _attend(self, block: Block, query: str, key: str, value: str, bias: str) -> str:
        inputs = [query, key, value, *(['', '', bias] if bias else [])]
        heads = self.config.heads
        mixed = self.g.op('MultiHeadAttention', *inputs, domain=MICROSOFT, num_heads=heads)
        weight = self.g.constant(block.attention.out.weight.T)
        return self.g.op('MatMul', self.g.op('Squeeze', mixed, self.first), weight)

    def _norm(self, x: str, norm: Any) -> str:
        weights = [self.g.constant(norm.weight), self.g.constant(norm.bias)]
        return self.g.op('LayerNormalization', x, *weights, axis=-1, epsilon=norm.eps)

    def _add_and_norm(self, x: str, y: str, y_bias: Tensor, weight: Tensor, bias: Tensor) -> tuple[str, str]:
        """(norm(x + y + y's bias), x + y + y's bias) in one node."""
        weights = [self.g.constant(value) for value in (weight, bias, y_bias)]
        epsilon = nn.LayerNorm(1).eps
        normed, _, _, added = self.g.ops(
            'SkipLayerNormalization', 4, x, y, *weights, domain=MICROSOFT, epsilon=epsilon
        )
        return normed, added

    def _linear(self, x: str, layer: Any) -> str:
        return self._product(x, layer.weight, layer.bias)

    def _product(self, x: str, weight: Tensor, bias: Tensor) -> str:
        return self.g.op('Gemm', x, self.g.constant(weight), self.g.constant(bias), transB=1)

    def _silu(self, x: str) -> str:
        return self.g.op('QuickGelu', x, domain=MICROSOFT, alpha=1.0)
