"""The comparison as a bar chart: an SVG that is readable on light and on dark ground."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from xml.sax.saxutils import escape

from bench.peers.summary import OURS

WIDTH: Final = 760
_LABELS: Final = 170
_NUMBERS: Final = 190
_BAR: Final = 26
_ROW: Final = 44
_TOP: Final = 64
_BOTTOM: Final = 34
_STYLE: Final = """
    text { font: 14px system-ui, sans-serif; fill: #24292f }
    .title { font-size: 16px; font-weight: 600 }
    .small { font-size: 12px; fill: #57606a }
    .other { fill: #8c959f } .ours { fill: #0969da }
    .range { stroke: #24292f; stroke-width: 1.5 } .ideal { stroke: #57606a; stroke-dasharray: 4 4 }
    @media (prefers-color-scheme: dark) {
      text { fill: #e6edf3 } .small { fill: #9198a1 }
      .other { fill: #6e7681 } .ours { fill: #4493f8 }
      .range { stroke: #e6edf3 } .ideal { stroke: #9198a1 }
    }"""


@dataclass(frozen=True, slots=True)
class _Scale:
    most: float

    def at(self, value: float) -> float:
        return round(_LABELS + value / self.most * (WIDTH - _LABELS - _NUMBERS), 1)


def chart(result: Mapping[str, Any]) -> str:
    """Draw documents a second of each system, with their range and a line at the ideal."""
    summary, ideal = result["summary"], float(result["ideal_documents_per_second"])
    scale = _Scale(max(ideal, *(its["documents_per_second"]["max"] for its in summary.values())))
    height = _TOP + _ROW * len(summary) + _BOTTOM
    told = (
        f"{result['documents']:,} documents at once, {result['slots']} slots, model latency "
        f"{result['model_latency_ms']} ms, {result['cores']} cores"
    )
    label = escape(_spoken(summary), {'"': "&quot;"})
    opening = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" role="img" '
        f'aria-label="{label}">'
    )
    parts = [
        opening,
        f"  <style>{_STYLE}\n  </style>",
        '  <text class="title" x="16" y="26">Documents a second</text>',
        f'  <text class="small" x="16" y="46">{escape(told)}</text>',
        *(_bar(place, system, its, scale) for place, (system, its) in enumerate(summary.items())),
        _ideal(ideal, scale, height),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _spoken(summary: Mapping[str, Any]) -> str:
    told = [f"{system} {its['documents_per_second']['median']:g}" for system, its in summary.items()]
    return f"Documents a second: {', '.join(told)}"


def _bar(place: int, system: str, its: Mapping[str, Any], scale: _Scale) -> str:
    rate = its["documents_per_second"]
    top = _TOP + place * _ROW
    middle = top + _BAR / 2
    colour = "ours" if system == OURS else "other"
    ends = scale.at(rate["max"]) + 10
    least, most = (f"{rate[name]:.1f}" for name in ("min", "max"))
    noted = "" if least == most else f' <tspan class="small">({least} to {most})</tspan>'
    y, length = middle + 5, scale.at(rate["median"]) - _LABELS
    across = f'x1="{scale.at(rate["min"]):g}" x2="{scale.at(rate["max"]):g}" y1="{middle:g}" y2="{middle:g}"'
    lines = (
        f'<text x="16" y="{y:g}">{escape(system)}</text>',
        f'<rect class="{colour}" x="{_LABELS}" y="{top}" width="{length:g}" height="{_BAR}" rx="3"/>',
        f'<line class="range" {across}/>',
        f'<text x="{ends:g}" y="{y:g}">{rate["median"]:.1f}{noted}</text>',
    )
    return "\n".join(f"  {line}" for line in lines)


def _ideal(ideal: float, scale: _Scale, height: int) -> str:
    x, bottom = scale.at(ideal), height - _BOTTOM
    return (
        f'  <line class="ideal" x1="{x:g}" x2="{x:g}" y1="{_TOP - 6}" y2="{bottom}"/>\n'
        f'  <text class="small" x="{x:g}" y="{bottom + 16}" text-anchor="middle">ideal {ideal:g}/s</text>'
    )
