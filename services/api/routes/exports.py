"""`GET /v1/mentions/export`: any search as a file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from services.api import exports, mention_batches
from services.api.context import ApiContext, Context
from services.api.exports import ExportFormat, SpreadsheetHabit
from services.api.mention_queries import Wanted
from services.api.one_turn import OneTurnRoute
from services.api.permission import Reader
from services.api.routes.mentions import Fields, read_fields
from services.api.schemas import MentionAnswer
from tocsin.problems import Problem
from tocsin.storage.searches import MentionFilter, Sort

router = APIRouter(tags=["mentions"], route_class=OneTurnRoute)

RETRY_AFTER_SECONDS = 30


@router.get(
    "/v1/mentions/export",
    summary="Any search of mentions as a file",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "The file; a connection that is cut before its end says that it is not whole.",
            "content": {"application/jsonl": {}, "text/csv": {}, ExportFormat.XLSX.media_type: {}},
        },
        404: {"description": "Unknown brand"},
        429: {"description": "Other workbooks are being made; come again after `Retry-After`"},
    },
)
def export_mentions(
    *,
    context: Context,
    _principal: Reader,
    wanted: Wanted,
    format: Annotated[ExportFormat, Query(description="JSON Lines, CSV, or an Excel workbook.")] = ExportFormat.JSONL,
    spreadsheet: Annotated[
        SpreadsheetHabit,
        Query(description="For CSV: `fr` has semicolons, decimal commas and the byte order mark of a French Excel."),
    ] = SpreadsheetHabit.STANDARD,
    sort: Annotated[Sort, Query(description="What comes first.")] = Sort.NEWEST,
    fields: Fields = None,
) -> StreamingResponse:
    """All mentions of a search, however many, as they stand while they are read; JSON Lines and CSV flow from the first row on
    (in the orders by risk, reach and engagement: once everything is sorted).

    In CSV an apostrophe stands before what a spreadsheet would compute. A workbook begins to flow when it is whole: a million
    rows take minutes.
    """
    chosen = read_fields(fields)
    columns = exports.columns_of(chosen)
    batches = _batches(context, wanted, sort)
    if format is ExportFormat.JSONL:
        pieces = exports.json_lines(batches, chosen)
    elif format is ExportFormat.CSV:
        pieces = exports.comma_separated(batches, columns, spreadsheet)
    else:
        pieces = _one_of_few(context, exports.workbook(batches, columns))
    name = f"tocsin-{wanted.brand}.{format.value}"
    return StreamingResponse(
        _begun(pieces), media_type=format.media_type, headers={"Content-Disposition": f'attachment; filename="{name}"'}
    )


def _batches(context: ApiContext, wanted: MentionFilter, sort: Sort) -> Iterator[Sequence[MentionAnswer]]:
    for found in mention_batches.batches(context.database, wanted, sort):
        yield [MentionAnswer.of(mention) for mention in found]


def _begun(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The same pieces, the first made at once: what fails before it is still answered as a problem."""
    first = next(pieces, b"")

    def all_pieces() -> Iterator[bytes]:
        yield first
        yield from pieces

    return all_pieces()


def _one_of_few(context: ApiContext, pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Workbooks keep a processor and a disk busy for long, so only a few are made at a time."""
    if not context.workbooks.acquire(blocking=False):
        raise Problem(
            429,
            detail="other workbooks are being made; come again later, or take CSV",
            headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
        )

    def released() -> Iterator[bytes]:
        try:
            yield from pieces
        finally:
            context.workbooks.release()

    return released()
