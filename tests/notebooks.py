"""A notebook's kernel, without its browser."""

from collections.abc import Iterator
from tempfile import TemporaryDirectory

import pytest
from jupyter_client import KernelManager
from jupyter_client.blocking import BlockingKernelClient


@pytest.fixture(scope="module")
def kernel() -> Iterator[BlockingKernelClient]:
    with TemporaryDirectory() as folder:  # whose name is short enough for those of sockets
        manager = KernelManager(transport="ipc", connection_file=f"{folder}/kernel.json")
        manager.start_kernel()
        client = manager.blocking_client()
        client.start_channels()
        try:
            client.wait_for_ready(60)
            yield client
        finally:
            client.stop_channels()
            manager.shutdown_kernel(now=True)


def outputs(kernel: BlockingKernelClient, cell: str) -> list[dict]:
    """Return what a cell puts out; an error in it is one of the test."""
    found: list[dict] = []
    reply = kernel.execute_interactive(cell, timeout=60, output_hook=lambda message: found.append(message["content"]))
    assert reply["content"]["status"] == "ok", "\n".join(reply["content"]["traceback"])
    return found
