"""Runs a bounded pipeline inside this process."""

from collections.abc import Callable

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner


def run_bounded(assemble: Callable[[beam.Pipeline], None]) -> None:
    """Assemble and run a pipeline to its end on `FnApiRunner`.

    The runner is named, never left to a default: the default first looks for a program on the network.
    """
    pipeline = beam.Pipeline(runner=FnApiRunner(), options=PipelineOptions([], save_main_session=False))
    assemble(pipeline)
    pipeline.run().wait_until_finish()
