"""An ONNX file that leads to other files is refused before ONNX Runtime sees it, wherever the reference hides."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytest.importorskip('onnx')

import onnx
from onnx import TensorProto, helper, numpy_helper

from vla_ros.onnx_file import COMPILED, DATA_LOCATION, EXTERNAL_DATA, INSIDE, OP_TYPE, require_whole
from vla_ros.types import VlaError

SHIPPED = Path(__file__).parent.parent / 'models' / 'tabletop'
FLOATS = helper.make_tensor_value_info('x', TensorProto.FLOAT, [2])
RESULT = helper.make_tensor_value_info('y', TensorProto.FLOAT, [2])
WEIGHTS = numpy_helper.from_array(np.ones(2, np.float32), 'w')


def outside(location: str) -> TensorProto:
    """Weights that are kept in another file."""
    tensor = TensorProto(name='w', data_type=TensorProto.FLOAT, dims=[2], data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key='location', value=location)
    return tensor


def constant(tensor: TensorProto) -> onnx.NodeProto:
    return helper.make_node('Constant', [], ['w'], value=tensor)


def adding(nodes: list[onnx.NodeProto], initializers: list[TensorProto]) -> onnx.GraphProto:
    add = helper.make_node('Add', ['x', 'w'], ['y'])
    return helper.make_graph([*nodes, add], 'g', [FLOATS], [RESULT], initializers)


def as_weights(tensor: TensorProto) -> onnx.ModelProto:
    return helper.make_model(adding([], [tensor]))


def as_constant(tensor: TensorProto) -> onnx.ModelProto:
    return helper.make_model(adding([constant(tensor)], []))


def in_a_branch(tensor: TensorProto) -> onnx.ModelProto:
    branch = helper.make_graph([constant(tensor)], 'b', [], [helper.make_tensor_value_info('w', 1, [2])])
    node = helper.make_node('If', ['c'], ['y'], then_branch=branch, else_branch=branch)
    return helper.make_model(helper.make_graph([node], 'g', [FLOATS], [RESULT]))


def in_a_function(tensor: TensorProto) -> onnx.ModelProto:
    function = helper.make_function('own', 'f', [], ['w'], [constant(tensor)], [helper.make_opsetid('', 18)])
    return helper.make_model(
        adding([helper.make_node('f', [], ['w'], domain='own')], []), functions=[function]
    )


def sparse(tensor: TensorProto) -> onnx.ModelProto:
    model = as_weights(WEIGHTS)
    model.graph.sparse_initializer.add(values=WEIGHTS, indices=tensor, dims=[2])
    return model


def in_training(tensor: TensorProto) -> onnx.ModelProto:
    model = as_weights(WEIGHTS)
    model.training_info.add(initialization=adding([], [tensor]))
    return model


HIDDEN = [as_weights, as_constant, in_a_branch, in_a_function, sparse, in_training]


@pytest.mark.parametrize('hide', HIDDEN)
@pytest.mark.parametrize('location', ['../secret.bin', '/etc/passwd', 'beside.bin'])
def test_given_weights_outside_of_the_file_then_it_is_refused(
    tmp_path: Path, hide: Callable[[TensorProto], onnx.ModelProto], location: str
) -> None:
    path = tmp_path / 'model.onnx'
    path.write_bytes(hide(outside(location)).SerializeToString())
    with pytest.raises(VlaError, match='expected all weights in the file itself, found a tensor .* outside'):
        require_whole(path)


@pytest.mark.parametrize('hide', HIDDEN)
def test_given_all_weights_in_the_file_then_it_passes(
    tmp_path: Path, hide: Callable[[TensorProto], onnx.ModelProto]
) -> None:
    path = tmp_path / 'model.onnx'
    path.write_bytes(hide(WEIGHTS).SerializeToString())
    require_whole(path)


def test_given_a_location_without_saying_that_it_is_outside_then_it_is_refused(tmp_path: Path) -> None:
    tensor = outside('../secret.bin')
    tensor.data_location = TensorProto.DEFAULT
    (tmp_path / 'model.onnx').write_bytes(as_weights(tensor).SerializeToString())
    with pytest.raises(VlaError, match='kept outside'):
        require_whole(tmp_path / 'model.onnx')


def test_given_compiled_code_then_it_is_refused(tmp_path: Path) -> None:
    node = helper.make_node('EPContext', ['x'], ['w'], domain='com.microsoft', ep_cache_context='../a.engine')
    (tmp_path / 'model.onnx').write_bytes(helper.make_model(adding([node], [])).SerializeToString())
    with pytest.raises(VlaError, match='found a node with compiled code'):
        require_whole(tmp_path / 'model.onnx')


def test_sessions_are_opened_only_after_this_check(tmp_path: Path) -> None:
    pytest.importorskip('onnxruntime')
    from vla_ros.runtime import open_session

    path = tmp_path / 'model.onnx'
    (tmp_path / 'beside.bin').write_bytes(np.ones(2, np.float32).tobytes())
    path.write_bytes(as_weights(outside('beside.bin')).SerializeToString())
    with pytest.raises(VlaError, match='kept outside'):
        open_session(path)


@pytest.mark.parametrize('hide', HIDDEN)
@pytest.mark.parametrize(
    ('location', 'passes'),
    [('model.onnx.data', True), ('./model.onnx.data', False), ('../model.onnx.data', False), ('', False)],
)
def test_given_one_file_that_is_allowed_then_no_other_is(
    tmp_path: Path, hide: Callable[[TensorProto], onnx.ModelProto], location: str, passes: bool
) -> None:
    path = tmp_path / 'model.onnx'
    tensor = outside(location)
    tensor.external_data.add(key='offset', value='0')
    path.write_bytes(hide(tensor).SerializeToString())
    if passes:
        require_whole(path, 'model.onnx.data')
    else:
        with pytest.raises(VlaError, match=r'expected weights in model\.onnx\.data alone'):
            require_whole(path, 'model.onnx.data')


def test_given_two_places_for_one_tensor_then_both_are_looked_at(tmp_path: Path) -> None:
    path = tmp_path / 'model.onnx'
    for places in (('model.onnx.data', 'secret.bin'), ('secret.bin', 'model.onnx.data')):
        tensor = outside(places[0])
        tensor.external_data.add(key='location', value=places[1])
        path.write_bytes(as_weights(tensor).SerializeToString())
        with pytest.raises(VlaError, match='kept elsewhere'):
            require_whole(path, 'model.onnx.data')


def test_weights_are_read_from_the_file_that_is_allowed_and_only_from_beside_the_model(
    tmp_path: Path,
) -> None:
    pytest.importorskip('onnxruntime')
    from vla_ros.runtime import open_session

    path, weights = tmp_path / 'model.onnx', tmp_path / 'model.onnx.data'
    weights.write_bytes(np.array([3, 4], np.float32).tobytes())
    model = helper.make_model(
        adding([], [outside(weights.name)]), opset_imports=[helper.make_opsetid('', 18)], ir_version=9
    )
    path.write_bytes(model.SerializeToString())
    (found,) = open_session(path, weights=weights).run(None, {'x': np.zeros(2, np.float32)})
    np.testing.assert_array_equal(found, [3, 4])
    with pytest.raises(VlaError, match='expected its weights beside it'):
        open_session(path, weights=tmp_path / 'elsewhere' / weights.name)


@pytest.mark.parametrize('content', [b'', b'not a model', b'\x3a\xff\xff\xff\xff\x0f', b'\xff' * 30, b'\x3a'])
def test_given_something_else_then_it_is_refused_in_one_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / 'model.onnx').write_bytes(content)
    with pytest.raises(VlaError, match='could not be opened: expected an ONNX model, found something else'):
        require_whole(tmp_path / 'model.onnx')


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_given_a_model_with_bytes_changed_then_nothing_worse_than_a_sentence_happens(
    tmp_path: Path, data: st.DataObject
) -> None:
    content = bytearray(in_a_branch(outside('a')).SerializeToString())
    for _ in range(data.draw(st.integers(1, 5))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    (tmp_path / 'model.onnx').write_bytes(content[: data.draw(st.integers(0, len(content)))])
    try:
        require_whole(tmp_path / 'model.onnx')
    except VlaError as error:
        assert len(str(error).splitlines()) == 1


@pytest.mark.parametrize('name', ['vision', 'language', 'action'])
def test_the_models_that_ship_are_whole(name: str) -> None:
    require_whole(SHIPPED / f'{name}.onnx')


def test_the_table_names_every_field_of_the_format_that_leads_to_a_tensor_or_a_node() -> None:
    """Compared with the definition that the onnx package carries."""
    messages = onnx.ModelProto.DESCRIPTOR.file.message_types_by_name
    for name, fields in INSIDE.items():
        defined = {field.number: field.message_type for field in messages[name].fields if field.message_type}
        assert {n: message.name for n, message in defined.items() if message.name in INSIDE} == fields
    assert messages['NodeProto'].fields_by_name['op_type'].number == OP_TYPE
    assert messages['TensorProto'].fields_by_name['external_data'].number == EXTERNAL_DATA
    assert messages['TensorProto'].fields_by_name['data_location'].number == DATA_LOCATION
    assert COMPILED == b'EPContext'
