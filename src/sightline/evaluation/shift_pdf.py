"""The shift report as PDF, by WeasyPrint; loaded only where one is asked for."""

from pathlib import Path
from typing import Any

from sightline.errors import OptionError, StoreError
from sightline.evaluation.shift_report import Shift, to_html
from sightline.evaluation.wording import Language

_STYLE = Path(__file__).parent / "templates" / "plot_print.css"


def to_pdf(shift: Shift, language: Language = Language.ENGLISH) -> bytes:
    """The report as PDF of A4 pages.

    Raises:
        OptionError: WeasyPrint, or the library that it sets text with, is not installed.
    """
    try:
        from weasyprint import HTML
        from weasyprint.urls import URLFetcher
    except ImportError as error:
        raise OptionError("PDF: WeasyPrint is missing. Run: pip install 'sightline[server]'") from error
    except OSError as error:
        raise OptionError(
            "PDF: Pango is missing. Run: apt-get install libpango-1.0-0 libpangoft2-1.0-0; or take the HTML report."
        ) from error

    class _Nothing(URLFetcher):  # type: ignore[misc]
        """The page needs nothing from outside, so whatever would be fetched was put there by somebody."""

        def fetch(self, url: str, headers: Any = None) -> Any:  # noqa: ARG002 - called so
            raise StoreError(f"PDF: {url:.80} is not fetched.")

    page = to_html(shift, language, _STYLE.read_text("utf-8"))
    document: bytes = HTML(string=page, url_fetcher=_Nothing()).write_pdf()
    return document
