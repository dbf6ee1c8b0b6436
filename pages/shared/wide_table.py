"""Tables wider than the window: moved sideways by a finger, and seen to go on."""

from __future__ import annotations

__all__ = ["wide_table_style"]


def wide_table_style(room: str) -> str:
    """A style for what a table lies in: on a telephone, where nobody sees a bar to scroll it by, it
    fades at the edge beyond which there is more.

    A browser without scroll-driven animations shows no fading. Only on a telephone also because
    Chromium goes on fading what a wider window shows whole. Without ``@property``, whose syntax
    is written in angle brackets: Streamlit leaves out a style that holds any.

    Parameters
    ----------
    room : str
        Selector.
    """
    left, right = "transparent, #000 2rem", "#000 calc(100% - 3.5rem), transparent"
    return f"""
<style>
{room} {{ overflow-x: auto; }}
@keyframes wide-table {{
  0%, 3% {{ mask-image: linear-gradient(to right, {right}); }}
  6%, 94% {{ mask-image: linear-gradient(to right, {left}, {right}); }}
  97%, 100% {{ mask-image: linear-gradient(to right, {left}); }}
}}
@media (max-width: 640px) {{
  @supports (animation-timeline: scroll(self inline)) {{
    {room} {{ animation: wide-table linear; animation-timeline: scroll(self inline); }}
  }}
}}
</style>
"""
