// Going round the parts of the page with the keyboard. Tab goes through the masks while the picture has the keyboard, so
// another key leads out of it.

const REGIONS = [
  ...["[role='application']", ".cameras", ".tools", "header", "aside"],
  ...[".time .bar", ".time-lanes:not(.isSingle)", "nav", ".banners"],
] as const;
const FOCUSABLE = "button:not(:disabled), input:not(:disabled), select:not(:disabled), summary, [tabindex='0']";

/** Put the keyboard into the next part of the page, or the one before, that has something to take it. */
export function focusRegion(page: HTMLElement, by: 1 | -1): void {
  const found = REGIONS.flatMap((selector) => {
    const region = page.querySelector<HTMLElement>(selector);
    const first = region?.matches("[tabindex]") ? region : region?.querySelector<HTMLElement>(FOCUSABLE);
    return region && first ? [{ region, first }] : [];
  });
  const here = found.findIndex(({ region }) => region.contains(document.activeElement));
  const next = here < 0 ? 0 : (here + by + found.length) % found.length;
  found[next]?.first.focus();
}
