"""Money: billionths of a US dollar on record, dollars where people read them."""

from __future__ import annotations

from typing import Final

NANO: Final = 1_000_000_000


def usd(nanousd: int | None) -> float | None:
    """Turn billionths of a dollar into dollars; None, an unknown price, stays None."""
    return None if nanousd is None else nanousd / NANO


def cost_text(nanousd: int | None) -> str:
    """Write a price with as many digits as it has, two at least: `$0.0004125`; one not known is `unknown`."""
    if nanousd is None:
        return "unknown"
    whole, rest = divmod(abs(nanousd), NANO)
    digits = f"{rest:09d}".rstrip("0").ljust(2, "0")
    return f"{'-' if nanousd < 0 else ''}${whole}.{digits}"
