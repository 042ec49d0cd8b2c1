"""Runs a bounded pipeline: inside this process, or wherever Beam's own options send it."""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.transforms.environments import EmbeddedPythonEnvironment

from gridcast.domain.errors import GridcastError

NAMESPACE = "gridcast"
"""Of every metric the transforms count."""

_STEP = re.compile(r" \[while running .*\]$", re.DOTALL)


class Assembled:
    """A bounded pipeline that is assembled once and run many times inside this process, on `FnApiRunner`.

    What a run is about, its transforms look up where it is kept: assembling costs as much as a small run.
    """

    def __init__(self, assemble: Callable[[beam.Pipeline], None]) -> None:
        self._options = PipelineOptions([], save_main_session=False, experiments=["beam_fn_api"])
        pipeline = beam.Pipeline(runner=FnApiRunner(), options=self._options)
        assemble(pipeline)
        self._proto = pipeline.to_runner_api(default_environment=EmbeddedPythonEnvironment.default())

    def run(self) -> None:
        """Run it to its end.

        Raises:
            GridcastError: a transform raised one; Beam's remark on the step is taken off its text.
        """
        with _step_taken_off():
            FnApiRunner().run_via_runner_api(self._proto, self._options).wait_until_finish()


def run_bounded(assemble: Callable[[beam.Pipeline], None], *, flags: Sequence[str] = ()) -> dict[str, int]:
    """Assemble a pipeline, run it to its end and return what its transforms counted.

    Without `flags` it runs on `FnApiRunner`, which is named rather than left to a default: the default first looks for
    a program on the network. `flags` are Beam's options, such as `--runner=FlinkRunner`, and go to Beam as they are.

    Raises:
        GridcastError: a transform raised one (Beam's remark on the step is taken off its text), or another runner
            failed or could not be reached.
    """
    options = PipelineOptions(list(flags), save_main_session=False)
    pipeline = beam.Pipeline(options=options) if flags else beam.Pipeline(runner=FnApiRunner(), options=options)
    assemble(pipeline)
    try:
        with _step_taken_off():
            result = pipeline.run()
            result.wait_until_finish()
    except GridcastError:
        raise
    except Exception as error:
        if not flags:
            raise
        raise GridcastError(
            f"the pipeline did not end well with {' '.join(flags)}: {error}; expected a runner that can be reached and "
            "workers with this version of gridcast that see the data folder under the same path."
        ) from error
    found = result.metrics().query(beam.metrics.MetricsFilter().with_namespace(NAMESPACE))
    return {each.key.metric.name: int(each.result) for each in found["counters"]}


@contextmanager
def _step_taken_off() -> Iterator[None]:
    try:
        yield
    except GridcastError as error:
        raise type(error)(_STEP.sub("", str(error))) from error
