"""How the web says no: one sentence as JSON, and headers that keep answers where they belong."""

from collections.abc import Mapping

from fastapi.responses import JSONResponse

HEADERS = {
    "Cache-Control": "no-store",  # verdicts change, and some are not everybody's business
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def refusal(status: int, sentence: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """An answer that says what was found, what was expected, and what to do."""
    return JSONResponse({"error": sentence}, status, {**HEADERS, **(headers or {})})
