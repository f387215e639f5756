"""The kernel a notebook of ours runs in: this interpreter, an environment of named variables, nothing of the user's."""

from __future__ import annotations

from subprocess import DEVNULL
from typing import Any

from ipykernel.kernelspec import get_kernel_dict
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from traitlets import Dict

SECTION = "LineageKernelManager"
MANAGER = f"{__name__}.{SECTION}"


class LineageKernelManager(AsyncKernelManager):
    """Starts ``ipykernel`` of the running interpreter, whatever kernels the machine has under the name ``python3``."""

    environment = Dict(help="all environment variables of the kernel").tag(config=True)

    @property
    def kernel_spec(self) -> KernelSpec:
        if self._kernel_spec is None:
            self._kernel_spec = KernelSpec(**get_kernel_dict())
        return self._kernel_spec

    async def _async_pre_start_kernel(self, **kw: Any) -> tuple[list[str], dict[str, Any]]:
        quiet = {"env": dict(self.environment), "stderr": DEVNULL}  # what fails comes back as a cell's error
        return await super()._async_pre_start_kernel(**{**kw, **quiet})
