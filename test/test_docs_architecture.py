"""The diagram of nodes and topics in docs/architecture.md has every arrow that the table of interfaces has."""

from __future__ import annotations

import re

import pytest
from doc_pages import blocks, text

from vla_ros.graph import MODEL_NODES
from vla_ros.interfaces import interfaces

ARROW = re.compile(r'^\s*(\w+)\S* -->\|"?([^|"]+)"?\| (\w+)')
EVERYWHERE = re.compile(r'/.*|.*/(alive|transition_event|compressed)')
"""Of every node, or another form of a topic: not drawn."""


def arrows() -> list[tuple[str, str, str]]:
    """(from, topic or service, to) of the diagram; the folder of a name holds for those after it in the same label."""
    (diagram,) = [block for block in blocks(text('architecture.md'), 'mermaid') if 'person' in block]
    found = []
    for line in diagram.splitlines():
        if match := ARROW.match(re.sub(r'\(\[[^\]]*\]\)', '', line)):
            source, label, target = match.groups()
            folder = ''
            for name in label.split(', '):
                folder = name.rsplit('/', 1)[0] + '/' if '/' in name else folder
                found.append((source, name if '/' in name or not folder else folder + name, target))
    return found


@pytest.mark.parametrize('node', [spec.name for spec in MODEL_NODES])
def test_the_arrows_of_a_node_are_what_it_says_hears_and_serves(node: str) -> None:
    interface = interfaces(['(name)'], simulator=False)[node]

    said = {topic for source, topic, _ in arrows() if source == node}
    heard = {topic for _, topic, target in arrows() if target == node}

    assert said == {topic for topic in interface.publishes if not EVERYWHERE.fullmatch(topic)}
    services = {service for service in interface.serves if not service.startswith(f'{node}/get')}
    switches = {service for service in services if service in heard}
    assert heard - switches == {topic for topic in interface.subscribes if not EVERYWHERE.fullmatch(topic)}
    assert node != 'action' or switches == {'action/enable', 'action/stop', 'action/reset'}
