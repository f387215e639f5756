"""The one theme: type, colours and spacing of charts, pages and notebooks.

Hex codes stand in this file only. Every colour has a role and each role its own code, also where two look alike:
a drawn chart can then be re-coloured for dark pages by role.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

import altair as alt

NAME = "lineage"


@dataclass(frozen=True)
class Palette:
    """Colours by role. Text roles have 4.5:1 on ``paper``, mark roles 3:1; the theme's test computes both."""

    paper: str
    ink: str
    muted: str
    rule: str
    grid: str
    accent: str
    accent_soft: str
    adverse: str
    unknown_fill: str
    unknown_line: str
    on_mark: str
    wash: str
    stage_signal: str
    stage_advice: str
    stage_approval: str
    stage_action: str
    stage_rollback: str


LIGHT = Palette(
    paper="#FFFFFF", ink="#1B1F24", muted="#595F66", rule="#C9CED4", grid="#E9ECEF", accent="#0072B2",
    accent_soft="#86BCDD", adverse="#B34700", unknown_fill="#F6F7F8", unknown_line="#7C848C", on_mark="#FEFEFE",
    wash="#E3F0F8", stage_signal="#0073B3", stage_advice="#D55E00", stage_approval="#332288", stage_action="#882E72",
    stage_rollback="#3B3B3B",
)
DARK = Palette(
    paper="#15181C", ink="#E9ECEF", muted="#A6AEB7", rule="#4A525B", grid="#2A3037", accent="#56A9DC",
    accent_soft="#2C6690", adverse="#F2924F", unknown_fill="#1E2329", unknown_line="#8B949D", on_mark="#0D1013",
    wash="#1B2C38", stage_signal="#58ABDE", stage_advice="#F5A055", stage_approval="#A79BF0", stage_action="#D68FC4",
    stage_rollback="#C9CDD2",
)


@dataclass(frozen=True)
class State:
    """How one state is told apart: by word, by shape and by pattern, the colour only helps.

    ``pattern`` is ``solid``, ``soft`` (lighter fill), ``hatched`` (outline and strokes), ``outlined`` or ``dotted``.
    """

    word: str
    shape: str
    pattern: str
    role: str


STATES = {
    "met": State("met", "circle", "solid", "accent"),
    "not_met": State("not met", "triangle-down", "solid", "adverse"),
    "undetermined": State("undetermined", "diamond", "outlined", "unknown_line"),
    "not_scored": State("not scored", "square", "hatched", "unknown_line"),
    "proved": State("proved", "circle", "solid", "accent"),
    "inferred": State("inferred", "circle", "soft", "accent_soft"),
    "unknown": State("unknown", "square", "hatched", "unknown_line"),
    "missing": State("missing", "triangle-down", "solid", "adverse"),
    "not_required": State("not required", "square", "outlined", "rule"),
    "used": State("used", "circle", "solid", "accent"),
    "unused": State("not used", "triangle-down", "solid", "adverse"),
    "unobservable": State("use cannot be seen", "square", "hatched", "unknown_line"),
    "too_young": State("too young to tell", "diamond", "dotted", "unknown_line"),
    "held": State("holds so far", "circle", "soft", "accent_soft"),
    "holds": State("holds in full", "circle", "solid", "accent"),
    "fails": State("does not hold", "triangle-down", "solid", "adverse"),
    "pending": State("pending", "diamond", "dotted", "unknown_line"),
}


@dataclass(frozen=True)
class Theme:
    """Type, colours and spacing. Lengths are in px on a grid of 4."""

    light: Palette = LIGHT
    dark: Palette = DARK
    # Liberation Sans is drawn into pictures by the renderer itself, whatever the machine has; readers of the SVG
    # without it have Arial or Helvetica, which are equally wide.
    chart_fonts: str = "Liberation Sans, Arial, Helvetica, sans-serif"
    page_fonts: str = (
        'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Noto Sans", "Liberation Sans", Arial, '
        "sans-serif"
    )
    code_fonts: str = 'ui-monospace, "SF Mono", Menlo, Consolas, "Liberation Mono", monospace'
    unit: int = 4
    width: int = 680
    text_size: int = 16
    line_height: float = 1.5
    chart_title: int = 17
    chart_text: int = 13
    chart_small: int = 12
    measure: str = "72ch"
    states: dict[str, State] = field(default_factory=lambda: dict(STATES))

    def css_variables(self) -> str:
        """CSS that declares every role, size and font as a variable, with the dark values for dark screens."""
        sizes = {
            "font-page": self.page_fonts, "font-code": self.code_fonts, "unit": f"{self.unit}px",
            "text": f"{self.text_size}px", "leading": f"{self.line_height:g}", "measure": self.measure,
            "chart-width": f"{self.width}px",
        }
        common = "".join(f"--{name}:{value};" for name, value in sizes.items())
        return (
            f":root{{color-scheme:light dark;{common}{_declared(self.light)}}}"
            f"@media screen and (prefers-color-scheme:dark){{:root{{{_declared(self.dark)}}}}}"
        )

    def swap_rules(self) -> str:
        """CSS for a drawn chart: each light colour becomes its dark counterpart on a dark screen."""
        rules = "".join(
            f'[{kind}="{light}" i]{{{kind}:{getattr(self.dark, role)}}}'
            for role, light in _roles(self.light) for kind in ("fill", "stroke")
        )
        return f"@media screen and (prefers-color-scheme:dark){{{rules}}}"

    def config(self) -> dict[str, Any]:
        """The Vega-Lite configuration every chart of the package is drawn with."""
        text = {"font": self.chart_fonts, "fontSize": self.chart_text, "color": self.light.ink}
        axis = {
            "labelFont": self.chart_fonts, "titleFont": self.chart_fonts, "labelFontSize": self.chart_small,
            "titleFontSize": self.chart_small, "titleFontWeight": "normal", "labelColor": self.light.muted,
            "titleColor": self.light.muted, "gridColor": self.light.grid, "domainColor": self.light.rule,
            "tickColor": self.light.rule, "domain": False, "ticks": False, "labelPadding": 8, "titlePadding": 12,
            "labelFontWeight": "normal", "labelFlush": False,
        }
        return {
            "background": self.light.paper, "font": self.chart_fonts, "aria": False,
            "view": {"stroke": None}, "text": text, "axis": axis,
            "title": {
                "font": self.chart_fonts, "fontSize": self.chart_title, "fontWeight": "bold", "color": self.light.ink,
                "subtitleFont": self.chart_fonts, "subtitleFontSize": self.chart_small,
                "subtitleFontWeight": "normal", "subtitleColor": self.light.muted, "anchor": "start",
                "align": "left", "lineHeight": TITLE_LEADING, "subtitleLineHeight": SUBTITLE_LEADING,
                "subtitlePadding": 6, "frame": "group",
            },
            "bar": {"color": self.light.accent}, "rule": {"color": self.light.rule},
            "point": {"color": self.light.accent, "filled": True},
        }


TITLE_LEADING = 22
SUBTITLE_LEADING = 17


def _roles(palette: Palette) -> list[tuple[str, str]]:
    return [(f.name, getattr(palette, f.name)) for f in fields(palette)]


def _declared(palette: Palette) -> str:
    return "".join(f"--{role.replace('_', '-')}:{code};" for role, code in _roles(palette))


THEME = Theme()


@alt.theme.register(NAME, enable=True)
def _altair_theme() -> alt.theme.ThemeConfig:
    return {"config": THEME.config()}  # type: ignore[typeddict-item]
