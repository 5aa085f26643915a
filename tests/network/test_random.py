"""Streams of random numbers."""

import pytest

from specnet.network.random import NumberedStreams, stream


@pytest.mark.parametrize("seed", [0, 1, 2**31, 2**32 - 1, 2**32, 2**64 + 3, 2**128 - 1])
@pytest.mark.parametrize("keys", [(), (0,), (7,)])
def test_numbered_streams_are_the_streams_of_their_last_key(seed: int, keys: tuple[int, ...]):
    streams = NumberedStreams(seed, "shuffling", *keys)
    for number in [0, 1, 255, 256, 254, *range(1000, 1300), 100, 2**31 - 1]:
        assert streams(number).bit_generator.state == stream(seed, "shuffling", *keys, number).bit_generator.state
