"""What Prometheus scrapes."""

from fastapi import APIRouter, Response

from gridcast.app.service import Here
from gridcast.monitoring.exposition import CONTENT_TYPE

router = APIRouter(tags=["status"])


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": "Metrics as text."}},
)
def metrics(here: Here) -> Response:
    """Every metric of docs/operations.md in Prometheus' text format, collected anew at most every five seconds."""
    return Response(here.metrics.text(), media_type=CONTENT_TYPE)
