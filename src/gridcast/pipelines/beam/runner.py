"""Runs a bounded pipeline inside this process."""

import re
from collections.abc import Callable

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

from gridcast.domain.errors import GridcastError

_STEP = re.compile(r" \[while running .*\]$", re.DOTALL)


def run_bounded(assemble: Callable[[beam.Pipeline], None]) -> None:
    """Assemble and run a pipeline to its end on `FnApiRunner`.

    The runner is named, never left to a default: the default first looks for a program on the network.

    Raises:
        GridcastError: a transform raised one; Beam's remark on the step is taken off its text.
    """
    pipeline = beam.Pipeline(runner=FnApiRunner(), options=PipelineOptions([], save_main_session=False))
    assemble(pipeline)
    try:
        pipeline.run().wait_until_finish()
    except GridcastError as error:
        raise type(error)(_STEP.sub("", str(error))) from error
