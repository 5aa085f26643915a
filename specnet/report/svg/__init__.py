"""Charts as SVG: axes, frames, what is drawn in them, and colours."""
