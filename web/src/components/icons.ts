// Line drawings of the tools on a field of 20 by 20.

import type { Tool } from "../tools/tool";

export const TOOL_ICONS: { readonly [tool in Tool]: string } = {
  click: "M10 3v4M10 13v4M3 10h4M13 10h4M10 10h.01",
  box: "M4 5h12v10H4zM4 5h.01M16 5h.01M4 15h.01M16 15h.01",
  brush: "M16 3 8.5 10.5M8.5 10.5c-2 0-3 1-3 3 0 1.500-1 2.500-2.500 2.500 3 1.500 8 .5 8-3 0-1.500-1-2.500-2.500-2.500z",
  eraser: "M8 16 3.500 11.500a1.500 1.500 0 0 1 0-2L10 3l6.500 6.500L10 16zM7 6l6.500 6.500M8 16h9",
  polygon: "M10 3 17 8l-3 8H6L3 8zM10 3h.01M17 8h.01M14 16h.01M6 16h.01M3 8h.01",
  lasso: "M10 4c4 0 7 1.800 7 4.500S14 13 10 13s-7-1.800-7-4.500S6 4 10 4zM6 12.500c-1 1-.5 2.500 1 2.500s1.500 1.500.5 2.500",
  cut: "M5 15a2 2 0 1 0 .01 0zM15 15a2 2 0 1 0 .01 0zM6.500 13.500 14 3M13.500 13.500 6 3",
  everything: "M3 6V3h3M14 3h3v3M17 14v3h-3M6 17H3v-3M7.500 7.500h.01M12.500 7.500h.01M7.500 12.500h.01M12.500 12.500h.01",
  move: "M5 3l10 6-4.500 1L13 15l-2 1-2.500-5L5 14z",
};
