"""System 2: a whole chain of thought, against transformers and with and without its last trace as a draft."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np

from vla_ros.bench.figures import Contender, figure, interleaved, ratio, timed
from vla_ros.bench.peers import TRANSFORMERS, peer
from vla_ros.bench.questions import Question, record_questions
from vla_ros.bench.section import Request, Section
from vla_ros.bundle import load_bundle
from vla_ros.reasoning.onnx_reasoner import OnnxReasoner
from vla_ros.types import VlaError

PLAIN, DRAFTED, PROMPT = 'token by token', 'with a draft', 'reading the question'
COMPARED = 40
"""Questions that a peer answers: it is slow."""


def reasoning_section(request: Request) -> Section:
    """How fast System 2 is.

    Measured:

    vs_transformers: how many times as long ``transformers.generate`` takes for the same traces.
    speculation_gain: how many times as long thinking takes without a draft. Each thought is about the next recorded
        question, and its draft is the trace of the one before.
    trace_gain: the same without the time of reading picture and order, which both take.
    identical: the share of questions to which both give the same tokens and, to the bit, the same thought.
    """
    section, bundle = Section(), load_bundle(request.bundle)
    questions = record_questions(request.bundle, request.questions, request.seed)
    plain, drafted = OnnxReasoner(bundle, speculates=False), OnnxReasoner(bundle)
    section.values['questions'] = len(questions)
    if drafted.verifies:
        _compare(section, questions, plain, drafted)
    else:
        section.missing.append(
            'speculation: the graphs are older ones; vla_ros train graphs writes them anew'
        )
    compared = questions[:COMPARED]
    with ExitStack() as stack:
        contenders: dict[str, Contender] = {PLAIN: _asked(plain, compared)}
        if drafted.verifies:
            contenders[DRAFTED] = _asked(drafted, compared)
            contenders[PROMPT] = _read(OnnxReasoner(bundle), compared)
        if TRANSFORMERS in request.peers:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            forms = [plain.question_of(q.tokens, q.instruction, q.situation) for q in compared]
            arrays: dict[str, Any] = {}
            for i, (visual, ids) in enumerate(forms):
                arrays |= {f'visual_{i}': visual, f'ids_{i}': np.array(ids)}
            np.savez(folder / 'questions.npz', **arrays)
            end, longest = plain.end, bundle.manifest.reasoning.max_new_tokens
            arguments = (str(request.bundle), str(folder / 'questions.npz'), str(end), str(longest))
            try:
                found = stack.enter_context(peer(TRANSFORMERS, 'peer_transformers', *arguments))
                contenders[TRANSFORMERS] = found
                same = [answer == plain.write(*form) for answer, form in zip(found.answers, forms)]
                section.values['identical_to_transformers'] = float(np.mean(same))
            except VlaError as error:
                section.missing.append(str(error))
        runs = interleaved(contenders, request.effort)
    section.values['milliseconds'] = round(1e3 * figure([run[PLAIN] for run in runs]).median, 3)
    if DRAFTED in contenders:
        section.figures['speculation_gain'] = ratio(runs, PLAIN, DRAFTED)
        section.figures['trace_gain'] = figure(
            [(run[PLAIN] - run[PROMPT]) / max(run[DRAFTED] - run[PROMPT], 1e-6) for run in runs]
        )
        section.values['milliseconds_drafted'] = round(1e3 * figure([run[DRAFTED] for run in runs]).median, 3)
    if TRANSFORMERS in contenders:
        section.figures['vs_transformers'] = ratio(runs, TRANSFORMERS, PLAIN)
    return section


def _compare(
    section: Section, questions: Sequence[Question], plain: OnnxReasoner, drafted: OnnxReasoner
) -> None:
    same, before, tokens = 0, drafted.passes, 0
    for question in questions:
        asked = (question.tokens, question.instruction, None, question.situation)
        expected, found = plain.think(*asked), drafted.think(*asked)
        tokens += len(plain.tokens_of(expected[0].trace))
        same += expected[0] == found[0] and expected[1].rows.tobytes() == found[1].rows.tobytes()
    section.values['identical'] = same / len(questions)
    section.values['passes_a_thought'] = round((drafted.passes - before) / len(questions), 2)
    section.values['tokens_a_thought'] = round(tokens / len(questions), 2)


def _asked(reasoner: OnnxReasoner, questions: Sequence[Question]) -> Contender:
    turn = cycle(questions)

    def think() -> None:
        question = next(turn)
        reasoner.think(question.tokens, question.instruction, None, question.situation)

    return timed(think)


def _read(reasoner: OnnxReasoner, questions: Sequence[Question]) -> Contender:
    """Picture and order alone, in one pass."""
    turn = cycle(questions)

    def work() -> None:
        question = next(turn)
        reasoner.read(*reasoner.question_of(question.tokens, question.instruction, question.situation))

    return timed(work)
