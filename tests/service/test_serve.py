"""What `serve` hands on to its processes, and what it refuses before it starts any."""

import socket

import pytest

from service.serve import specs, wait_for_port, wait_for_worker_port
from service.settings import Settings, SettingsError


@pytest.mark.parametrize(
    ("given", "wanted"), [({}, "0"), ({"WORKER_PORT": ""}, "0"), ({"WORKER_PORT": "9100"}, "9100")]
)
def test_a_worker_port_is_the_operators(given: dict[str, str], wanted: str) -> None:
    """The worker beneath `serve` listens on a port only when the operator named one."""
    [worker] = [spec for spec in specs(given) if spec.name == "worker"]
    assert worker.environment["WORKER_PORT"] == wanted


def test_a_taken_port_is_named_by_its_setting() -> None:
    """A port that another program holds is refused with the name of the setting to change."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(SettingsError, match=rf"^WORKER_PORT: {port} is held by another program"):
            wait_for_port("127.0.0.1", port, setting="WORKER_PORT", seconds=0)


def test_a_worker_does_not_take_the_ports_of_the_api() -> None:
    """One number for both pages is refused; a worker without a port of its own is not asked about one."""
    environment = {"PORT": "8001", "WORKER_PORT": "8001"}
    with pytest.raises(SettingsError, match=r"^WORKER_PORT: 8001 is the PORT of the API"):
        wait_for_worker_port(Settings.from_environment(environment), environment)
    wait_for_worker_port(Settings.from_environment({"PORT": "8001"}), {"PORT": "8001"})
