# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The boundary under arrays of any kind: an exception or an answer, no crash."""

import string

import numpy as np
import pytest

import a2q
from a2q import bounds
from conftest import TWO

hypothesis = pytest.importorskip("hypothesis")
from hypothesis import given, settings, strategies as st  # noqa: E402
from hypothesis.extra import numpy as arrays  # noqa: E402

FUZZ = settings(max_examples=150, deadline=None, derandomize=True)

DTYPES = st.one_of(
    arrays.scalar_dtypes(),
    arrays.array_dtypes(max_size=2),
    st.sampled_from(
        [np.dtype(name) for name in ("f4", ">f4", "u1", "i1", "i8", "f8", "O", "S3")]
    ),
)
INDICES = st.sampled_from(
    [
        np.s_[...],
        np.s_[::-1],
        np.s_[::2],
        np.s_[..., ::-1],
        np.s_[..., :1],
        np.s_[None],
        np.s_[:0],
        np.s_[..., 0],
    ]
)


@st.composite
def any_array(draw):
    """Any dtype, shape and strides; also views, broadcasts and transposes."""
    shape = draw(
        st.one_of(
            arrays.array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=9),
            st.sampled_from([(2, 3), (4, 3), (1, 1, 8, 8), (3, 1, 8, 8)]),
        )
    )
    array = np.zeros(shape, draw(DTYPES))
    if array.dtype.kind in "iuf":
        array[...] = draw(st.sampled_from([0, 1, 15, 16, 100]))
    for index in draw(st.lists(INDICES, max_size=2)):
        try:
            array = array[index]
        except IndexError:
            pass
    if draw(st.booleans()):
        array = np.transpose(array)
    if draw(st.booleans()) and isinstance(array, np.ndarray):
        array = np.lib.stride_tricks.as_strided(
            array, array.shape, [0] * array.ndim, writeable=False
        )
    return array


def answers(call):
    """The result, or None after an exception of ours."""
    try:
        return call()
    except a2q.Error as error:
        assert str(error)
        return None


@pytest.fixture(scope="module")
def program():
    return a2q.parse(TWO).compile()


@FUZZ
@given(array=any_array())
def test_one_input(compiled, array):
    result = answers(lambda: compiled(array))
    if result is not None:
        assert array.dtype == np.uint8 and array.shape[1:] == (1, 8, 8)
        assert result.shape == (array.shape[0], 10)
        assert np.isfinite(result).all()


@FUZZ
@given(a=any_array(), b=any_array())
def test_two_inputs(program, a, b):
    result = answers(lambda: program(a, b))
    if result is not None:
        assert a.dtype == b.dtype == np.float32 and a.shape == b.shape
        assert np.array_equal(result["sum"], a + b)


@FUZZ
@given(out=any_array())
def test_outputs(program, out):
    a = np.ones((2, 3), np.float32)
    result = answers(lambda: program.run([a, a], out={"sum": out}))
    if result is not None:
        assert result["sum"] is out and np.array_equal(out, a + a)


@FUZZ
@given(array=any_array(), lo=st.integers(-(2**70), 2**70), span=st.integers(-1, 300))
def test_bounds(array, lo, span):
    for call in (
        lambda: bounds.widths(array, (lo, lo + span)),
        lambda: bounds.witness(array, (lo, lo + span)),
        lambda: bounds.prefix_interval(array, (lo, lo + span)),
    ):
        answers(call)


@FUZZ
@given(
    array=any_array(),
    width=st.integers(-1, 70),
    bits=st.integers(0, 60),
    tile=st.integers(-1, 2**40),
    bound=st.sampled_from([*bounds.BOUNDS, "other"]),
    method=st.sampled_from([*a2q.methods(), "other"]),
)
def test_weights(array, width, bits, tile, bound, method):
    answers(lambda: a2q.project(array, width, (0, 15), bound, tile))
    found = answers(
        lambda: a2q.nearest_integers(array, width, (0, 15), bits, bound, tile)
    )
    if found is not None and not tile and bound != "datatype":
        assert (bounds.width(found, (0, 15), bound) <= width).all()
    answers(
        lambda: a2q.constrain_weights(
            array, width, (0, 15), bits, method=method, tile=tile
        )
    )


@FUZZ
@given(moments=any_array(), samples=st.integers(-1, 2**40),
       method=st.sampled_from(a2q.methods()))
def test_moments(moments, samples, method):
    weights = np.arange(-12.0, 12.0).reshape(4, 6) / 3
    given = dict(moments=moments, samples=samples, method=method, weight_bits=4)
    found = answers(lambda: a2q.constrain_weights(weights, 9, (0, 15), **given))
    if found is not None:
        assert (bounds.width(found.integers, (0, 15), "centred") <= 9).all()
    answers(lambda: a2q.nearest_integers(weights, 9, (0, 15), moments=moments))


@FUZZ
@given(array=any_array(), emulate=st.sampled_from([None, "wrap:9", "saturate:6"]))
def test_reference(digits, array, emulate):
    result = answers(lambda: digits.run_reference(array, emulate))
    if result is not None:
        assert result["logits"].shape == (array.shape[0], 10)


@FUZZ
@given(
    value=st.recursive(
        st.none() | st.integers() | st.floats() | st.text(max_size=3) | st.binary(),
        lambda inner: st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=3), inner, max_size=2),
        max_leaves=6,
    )
)
def test_things_that_are_no_arrays(compiled, digits, value):
    answers(lambda: compiled(value))
    answers(lambda: compiled.run(value))
    answers(lambda: compiled.run({"images": value}))
    answers(lambda: bounds.width(value, (0, 15)))
    answers(lambda: bounds.width([[1, 2]], value))
    answers(lambda: a2q.constrain_weights(value, 9, (0, 15)))
    answers(lambda: a2q.project([1.0], value, (0, 15)))
    answers(lambda: a2q.load(value))
    answers(lambda: a2q.parse(value))
    answers(lambda: digits.constrain(width=value))
    answers(lambda: digits.stage(inner=value))
    answers(lambda: digits.constrain(overrides=value))
    answers(lambda: digits.compile(accumulator=value))


@FUZZ
@given(text=st.text(alphabet=string.printable + "é\x00", max_size=40))
def test_texts(digits, text):
    answers(lambda: a2q.parse(text))
    answers(lambda: a2q.load(text))
    answers(lambda: digits.prove(text))
    answers(lambda: digits.constrain(method=text))
    answers(lambda: digits.constrain(bound=text))
    answers(lambda: digits.compile(accumulator=text))
    answers(lambda: digits.compile(isa=text + "!"))
    answers(lambda: digits.compile(prefix=text + "!"))
    answers(lambda: digits.compile(target_cpu=text + "!"))
    answers(lambda: digits.run_reference(np.zeros((1, 1, 8, 8)), emulate=text))


@FUZZ
@given(array=any_array())
def test_calibration(digits, array):
    answers(lambda: digits.constrain(width=3, calibration=array))
