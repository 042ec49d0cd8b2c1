"""What every notebook begins with: the installation around it, and errors that are told without a traceback."""

import os
import warnings
from pathlib import Path
from typing import Any

from IPython.core.getipython import get_ipython

from gridcast.cli import quiet_libraries
from gridcast.cli.installation import Installation
from gridcast.cli.output import remark
from gridcast.domain.errors import GridcastError
from gridcast.workflows.readings.processed import Processed


def open_installation() -> Installation:
    """The installation of the nearest folder, from here upwards, that holds a folder `config`.

    It becomes the working folder, as paths in settings are relative to it. From now on an error of gridcast stops the
    notebook with its message alone.

    Raises:
        GridcastError: there is no clean history to look at.
    """
    quiet_libraries()
    warnings.filterwarnings("ignore", message="IProgress not found")  # tqdm asks for widgets that nothing here shows
    shell: Any = get_ipython()
    if shell is not None:
        shell.set_custom_exc((GridcastError,), _tell)
    here = Path.cwd()
    os.chdir(next((each for each in (here, *here.parents) if (each / "config").is_dir()), here))
    installation = Installation.open(None)
    if Processed.find(installation.workspace.processed) is None:
        raise GridcastError(
            f'{installation.workspace.processed.resolve()}: no clean history here; expected what "gridcast prepare" '
            'writes. Run "make demo" first, or "gridcast ingest" and "gridcast prepare" with data of your own.'
        )
    return installation


def _tell(_shell: Any, _kind: type[BaseException], error: BaseException, _traceback: Any, **_: Any) -> None:
    remark(f"error: {error}")
